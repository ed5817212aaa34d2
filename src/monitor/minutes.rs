//! Each minute is written down once it is over, by whichever process comes first.

use std::time::Duration;

use crate::db::{self, DbResult, Pool};
use crate::shutdown::Shutdown;

/// Several processes share the work, so that one that is slow leaves no gap.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Writes minutes down until the program stops. A minute in which none of its processes ran is a gap.
pub async fn write_minutes(pool: Pool, shutdown: Shutdown) {
    while shutdown.sleep(LOOK_EVERY).await.is_ok() {
        // A minute that cannot be written is a gap, which is what it was.
        let _written = write(&pool).await;
    }
}

async fn write(pool: &Pool) -> DbResult<()> {
    let mut conn = pool.acquire().await?;
    db::minutes::write_minute(&mut conn).await?;
    db::minutes::forget_old_minutes(&mut conn).await
}
