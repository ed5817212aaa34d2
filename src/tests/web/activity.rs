//! The log of what people did: searching it, and taking it along.

use beanstock::domain::Role;

use crate::support::{Kind, Site, TestApp};

#[tokio::test]
async fn the_log_is_searched_by_who_and_what_and_when_and_taken_along() {
    let app = TestApp::start(Kind::Fifo).await;
    let manager = Site::of(&app).seen_by(Role::Manager);
    let why = [("queue", "updates"), ("reason-updates", "Taking stock")];
    manager.post("/consumers/pause", &why).await;
    manager
        .post("/consumers/resume", &[("queue", "updates")])
        .await;
    let note = [("note", "Waiting.")];
    let staff = Site::of(&app).seen_by(Role::Staff);
    staff
        .post("/dead-letters/note?reason=malformed", &note)
        .await;

    let all = manager.get("/activity").await;
    let paused = manager.get("/activity?what=paused_queue").await;
    let who = all.attributes("#who option", "value");
    let of_one = manager.get(&format!("/activity?who={}", who[1])).await;
    let of_another = manager.get(&format!("/activity?who={}", who[2])).await;
    let never = manager.get("/activity?to=2020-01-01").await;
    let nonsense = manager.get("/activity?who=x&what=y&from=z").await;
    staff
        .post("/suppliers/3/alias", &[("name", "=1+1"), ("bean", "5")])
        .await;
    let file = manager.get("/activity.csv?what=settled_name").await;

    let lines = all.all("ol.sessions li").len();
    assert_eq!(paused.all("ol.sessions li").len(), 1);
    assert!(paused.text_of("ol.sessions").contains("paused a queue"));
    let some = of_one.all("ol.sessions li").len();
    let others = of_another.all("ol.sessions li").len();
    assert_eq!(some + others, lines, "two people did it all");
    assert!(never.text_of(".empty").contains("Nothing in the log"));
    assert!(nonsense.all("ol.sessions li").is_empty());
    assert!(
        file.body
            .starts_with("at,who,what,whom,details,from_address\n")
    );
    assert_eq!(file.body.lines().count(), 2);
    assert!(
        file.body.contains(",'=1+1 of Cordillera Direct means"),
        "{}",
        file.body
    );
}
