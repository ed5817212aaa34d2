//! The accounts of local mode, for a first look: one of each role, and one for each supplier.

use super::password::Passwords;
use super::sign_in::{Opened, Place, open};
use crate::clock::Clock;
use crate::db::accounts::NewAccount;
use crate::db::sessions::SessionLimits;
use crate::db::{self, DbResult, Pool};
use crate::domain::{AccountId, EmailAddress, NewPassword, Role};

/// Makes the accounts that are missing, and gives all of them this password.
pub async fn provide(
    pool: &Pool,
    clock: &dyn Clock,
    passwords: &Passwords,
    password: &NewPassword,
) -> anyhow::Result<()> {
    let hash = passwords.hash(password).await?;
    let mut conn = pool.acquire().await?;
    let mut suppliers = db::suppliers::list_suppliers(&mut conn).await?;
    drop(conn);
    let mut people = vec![
        ("manager".to_owned(), "Mira Costa".to_owned(), Role::Manager),
        ("staff".to_owned(), "Sam Keller".to_owned(), Role::Staff),
        ("viewer".to_owned(), "Wall screen".to_owned(), Role::Viewer),
    ];
    suppliers.sort_by_key(|supplier| supplier.id);
    for supplier in suppliers.into_iter().take(MOST_SUPPLIERS) {
        let name: String = supplier.name.chars().take(100).collect();
        let account = format!("supplier{}", supplier.id);
        people.push((account, name, Role::Supplier(supplier.id)));
    }
    for (account, name, role) in people {
        let email = EmailAddress::parse(&format!("{account}@example.com"))?;
        let account = NewAccount {
            email: &email,
            name: &name,
            role,
            password_hash: Some(&hash),
            demonstration: true,
        };
        provide_one(pool, clock, &account).await?;
    }
    Ok(())
}

/// Signs somebody in with one of these accounts, without a password: whoever sits at the machine may.
pub async fn sign_in(
    pool: &Pool,
    id: AccountId,
    place: Place<'_>,
    limits: SessionLimits,
) -> DbResult<Option<Opened>> {
    db::in_transaction(pool, async |tx| {
        db::accounts::lock_login(tx, id).await?;
        let accounts = db::accounts::list_demonstration(tx).await?;
        if accounts.iter().any(|account| account.id == id) {
            open(tx, id, place, limits).await.map(Some)
        } else {
            Ok(None)
        }
    })
    .await
}

/// The demonstration data has eight; a café with hundreds does not need an account for each here.
const MOST_SUPPLIERS: usize = 8;

async fn provide_one(pool: &Pool, clock: &dyn Clock, account: &NewAccount<'_>) -> DbResult<()> {
    db::in_transaction(pool, async |tx| {
        let known = db::accounts::list_demonstration(tx).await?;
        let known = known
            .iter()
            .find(|known| known.email == account.email.as_str());
        let id: AccountId = match known {
            Some(known) => known.id,
            None if is_taken(tx, account.email).await? => return Ok(()),
            None => db::accounts::insert_account(tx, account, clock.now()).await?,
        };
        let hash = account.password_hash.unwrap_or_default();
        db::accounts::set_password_hash(tx, id, hash).await
    })
    .await
}

/// Whoever has made an account of their own with this address keeps it, and who is disabled stays so.
async fn is_taken(tx: &mut db::Transaction, email: &EmailAddress) -> DbResult<bool> {
    let login = db::accounts::find_login(tx, email.as_str()).await?;
    Ok(login.is_some())
}
