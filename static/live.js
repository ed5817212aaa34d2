// Keeps a page up to date while somebody looks at it, and shows what a form would do while somebody types.
// Without it every page says how old it is and has a link to refresh it.
"use strict";

(() => {
  const QUIET_FOR = 15_000; // Three beats of the server's.
  const ANNOUNCE_EVERY = 10_000;
  const PAUSED = "beanstock-paused";

  const place = document.querySelector("[data-live]");
  if (place) keepUpToDate(place);
  const form = document.querySelector("form[data-effect]");
  if (form) showEffects(form);
  const again = document.querySelector("[data-again]");
  if (again) askAgain(again);

  function keepUpToDate(place) {
    const mark = document.createElement("span");
    const pause = document.createElement("button");
    const said = document.createElement("p");
    const news = document.createElement("a");
    mark.className = "mark";
    pause.type = "button";
    pause.className = "linklike";
    said.className = "hidden";
    said.setAttribute("role", "status");
    news.href = location.pathname + location.search;
    news.className = "news";
    news.hidden = true;
    place.replaceChildren(mark, " · ", pause, " ", news);
    place.after(said);

    let source = null;
    let lastHeard = Date.now();
    let retry = null;
    let paused = localStorage.getItem(PAUSED) === "yes";
    let ended = false;
    const waiting = new Map(); // Parts that the reader has the keyboard or a selection in.
    const changes = [];
    let lastSaid = 0;
    let madeWith = null; // The files of the server's version.

    const clock = at => at.toLocaleTimeString("en-GB", {timeZone: place.dataset.zone});

    function show(state, words) {
      if (place.dataset.state === state && mark.textContent === words) return;
      place.dataset.state = state;
      mark.textContent = words;
      pause.textContent = paused ? "Resume" : "Pause";
    }

    function open() {
      clearTimeout(retry);
      if (source || paused || ended || document.hidden) return;
      source = new EventSource(place.dataset.live);
      source.addEventListener("beat", event => { heard(); stayCurrent(event.data); });
      source.addEventListener("parts", event => { heard(); take(event.data); });
      source.addEventListener("news", event => { heard(); tellNews(Number(event.data)); });
      source.addEventListener("end", () => {
        ended = true;
        close();
        show("off", "You are signed out. Refresh the page to sign in again.");
        pause.remove();
      });
      source.onerror = () => {
        const refused = source.readyState === EventSource.CLOSED;
        notLive();
        if (refused) {
          close();
          retry = setTimeout(open, 5_000);
        }
      };
    }

    function close() {
      if (source) source.close();
      source = null;
    }

    function heard() {
      lastHeard = Date.now();
      show("live", "Live");
    }

    // A screen on the wall has nobody who would load a new version of the page.
    function stayCurrent(files) {
      if (document.body.classList.contains("wall") && madeWith !== null && files !== madeWith) location.reload();
      madeWith = files;
    }

    function notLive() {
      if (!paused && !ended) show("off", `Not live since ${clock(new Date(lastHeard))}, reconnecting`);
    }

    // Puts each part in its place, unless that would move what the reader is using.
    function take(html) {
      const holder = document.createElement("template");
      holder.innerHTML = html;
      for (const part of holder.content.querySelectorAll("[data-part]")) put(part);
      announce();
    }

    function put(part) {
      const old = document.getElementById(part.id);
      waiting.delete(part.id);
      if (!old || old.outerHTML === part.outerHTML) return;
      if (isInUse(old)) {
        waiting.set(part.id, part);
        return;
      }
      const word = part.querySelector(".tag");
      const was = old.querySelector(".tag");
      if (word && was && word.textContent !== was.textContent && part.localName !== "ol") {
        changes.push(word.textContent.trim());
      }
      old.replaceWith(part);
    }

    function isInUse(element) {
      return isHeld(element) || element.contains(document.activeElement);
    }

    function announce() {
      if (changes.length === 0 || Date.now() - lastSaid < ANNOUNCE_EVERY) return;
      lastSaid = Date.now();
      const counts = new Map();
      for (const word of changes.splice(0)) counts.set(word, (counts.get(word) ?? 0) + 1);
      said.textContent = [...counts].map(([word, n]) => `${n} now ${word}`).join(", ");
    }

    function tellNews(number) {
      news.hidden = number === 0;
      news.textContent = `${number >= 500 ? "500 or more" : number} new – show`;
    }

    pause.addEventListener("click", () => {
      paused = !paused;
      localStorage.setItem(PAUSED, paused ? "yes" : "no");
      close();
      if (paused) show("off", `Paused at ${clock(new Date())}`);
      else { show("off", "Connecting"); open(); }
    });
    document.addEventListener("visibilitychange", () => document.hidden ? close() : open());
    addEventListener("pagehide", close);
    addEventListener("pageshow", open);
    const putWaiting = () => {
      for (const part of [...waiting.values()]) put(part);
    };
    document.addEventListener("focusout", () => setTimeout(putWaiting));
    document.addEventListener("selectionchange", () => {
      if (getSelection()?.isCollapsed) putWaiting();
    });
    setInterval(() => {
      if (source && Date.now() - lastHeard > QUIET_FOR) notLive();
      announce();
    }, 1_000);

    show("off", paused ? "Paused" : "Connecting");
    open();
  }

  // What is under way for a while is asked for again, until it is not any more.
  function askAgain(part) {
    const made = document.querySelector(".made");
    const pause = document.createElement("button");
    const isPaused = () => localStorage.getItem(PAUSED) === "yes";
    const name = () => { pause.textContent = isPaused() ? "Resume updating" : "Pause updating"; };
    pause.type = "button";
    pause.className = "linklike";
    pause.addEventListener("click", () => {
      localStorage.setItem(PAUSED, isPaused() ? "no" : "yes");
      name();
    });
    // What is unfolded would be folded again.
    const isUsed = () => isHeld(part) || part.querySelector("details[open]") !== null;
    name();
    made?.append(" · ", pause);
    wait();

    function wait() {
      setTimeout(async () => {
        if (!document.hidden && !isPaused() && !isUsed()) await ask();
        if (part.dataset.again) wait();
        else pause.remove();
      }, Number(part.dataset.again) * 1_000);
    }

    async function ask() {
      try {
        const answer = await fetch(location.href);
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = answer.ok && page.getElementById(part.id);
        if (!fresh || isUsed()) return;
        const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
        part.replaceWith(fresh);
        part = fresh;
        if (focused) document.getElementById(focused)?.focus({preventScroll: true});
        const time = page.querySelector(".made time");
        if (time) made?.querySelector("time")?.replaceWith(time);
      } catch {
        // The next time tells.
      }
    }
  }

  // Whether the reader has selected some of it, or is pressing a button in it.
  function isHeld(part) {
    const selection = getSelection();
    const selected = selection && !selection.isCollapsed && selection.containsNode(part, true);
    return selected || part.querySelector(":active") !== null;
  }

  function showEffects(form) {
    let asked = 0;
    let timer = null;
    form.addEventListener("input", () => {
      for (const old of form.querySelectorAll("output.effect")) old.replaceChildren();
      clearTimeout(timer);
      timer = setTimeout(ask, 250);
    });
    ask();

    async function ask() {
      const number = ++asked;
      try {
        const answer = await fetch(form.dataset.effect, {
          method: "POST",
          body: new URLSearchParams(new FormData(form)),
        });
        if (!answer.ok || number !== asked) return;
        const holder = document.createElement("template");
        holder.innerHTML = await answer.text();
        for (const effect of holder.content.querySelectorAll("output")) {
          const old = document.getElementById(effect.id);
          if (old && old.innerHTML !== effect.innerHTML) old.replaceChildren(...effect.childNodes);
        }
      } catch {
        // Whoever cannot be reached now tells it on the next page.
      }
    }
  }
})();
