//! Hashing passwords and comparing them: slow on purpose, so on threads of its own and a few at a time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use crate::domain::{NewPassword, normalized};

/// OWASP's second choice for argon2id (Password Storage Cheat Sheet): 19 MiB, two passes, one lane. About
/// 30 ms here.
const MEMORY_IN_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Whoever waits for longer is asked to come back.
const PATIENCE: Duration = Duration::from_secs(2);

/// The hash that a password is compared with when there is no account: it takes as long, and fits nothing.
const STAND_IN: &str = "$argon2id$v=19$m=19456,t=2,p=1$YmVhbnN0b2NrLXN0YW5kLWlu$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Too many people sign in at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many people are signing in at once")]
pub struct Busy;

type Job = Box<dyn FnOnce() + Send>;

/// The one place where passwords are hashed and compared.
///
/// It has threads of its own, one for each place: the allocator keeps what a thread once needed, and on
/// tokio's many blocking threads those 19 MiB would add up.
#[derive(Debug)]
pub struct Passwords {
    places: Arc<Semaphore>,
    jobs: mpsc::Sender<Job>,
    hashes: AtomicU64,
}

impl Default for Passwords {
    /// Leaves half of the machine to the site.
    ///
    /// # Panics
    /// The system has no thread left.
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let places = (cores / 2).max(1);
        let (jobs, waiting) = mpsc::channel();
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..places {
            let waiting = Arc::clone(&waiting);
            let builder = thread::Builder::new().name("passwords".to_owned());
            let started = builder.spawn(move || work_through(&waiting));
            started.expect("the system has threads");
        }
        Self {
            places: Arc::new(Semaphore::new(places)),
            jobs,
            hashes: AtomicU64::new(0),
        }
    }
}

/// Does one job after the other, until there is nobody left to give another.
fn work_through(waiting: &Mutex<mpsc::Receiver<Job>>) {
    let next = || {
        let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.recv()
    };
    while let Ok(job) = next() {
        job();
    }
}

impl Passwords {
    /// Hashes a password for the database.
    ///
    /// # Panics
    /// The system has no randomness.
    pub async fn hash(&self, password: &NewPassword) -> Result<String, Busy> {
        let password = normalized(password.expose()).into_owned();
        self.in_turn(move || {
            let hash = argon2().hash_password(password.as_bytes());
            hash.expect("argon2 takes any password and finds randomness")
                .to_string()
        })
        .await
    }

    /// Compares what was typed with a hash. Takes as long where there is none, and then fits nothing.
    pub async fn verify(&self, typed: &str, hash: Option<&str>) -> Result<bool, Busy> {
        let typed = normalized(typed).into_owned();
        let expected = hash.unwrap_or(STAND_IN).to_owned();
        let fits = self.in_turn(move || {
            let verified = argon2().verify_password(typed.as_bytes(), expected.as_str());
            verified.is_ok()
        });
        Ok(fits.await? && hash.is_some())
    }

    /// How many passwords were hashed or compared so far.
    pub fn hashes(&self) -> u64 {
        self.hashes.load(Ordering::Relaxed)
    }

    /// Whoever goes away does not make room for another before the work is done.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let place = timeout(PATIENCE, Arc::clone(&self.places).acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            return Err(Busy);
        };
        self.hashes.fetch_add(1, Ordering::Relaxed);
        let (done, result) = oneshot::channel();
        let job = Box::new(move || {
            // Nobody hears of it when whoever asked has gone away.
            done.send(work()).ok();
            drop(place);
        });
        self.jobs.send(job).expect("the threads live as long");
        Ok(result.await.expect("hashing does not panic"))
    }
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_IN_KIB, PASSES, LANES, None);
    let params = params.expect("the parameters are within argon2's limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_alone() {
        let passwords = Passwords::default();
        let password = NewPassword::parse("correct horse ünicode", &[]).unwrap();

        let hash = passwords.hash(&password).await.unwrap();

        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        let fits = async |typed: &str| passwords.verify(typed, Some(&hash)).await.unwrap();
        assert!(fits("correct horse ünicode").await);
        // The same letters as another keyboard sends them.
        assert!(fits("correct horse u\u{308}nicode").await);
        assert!(!fits("correct horse unicode").await);
        assert!(!passwords.verify("anything at all", None).await.unwrap());
        assert_eq!(passwords.hashes(), 5);
    }
}
