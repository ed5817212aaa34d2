//! The accounts of local mode, for a first look: one of each role, and one for each supplier.

use super::password::Passwords;
use crate::clock::Clock;
use crate::db::accounts::NewAccount;
use crate::db::{self, Pool};
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
    let suppliers = db::suppliers::list_suppliers(&mut conn).await?;
    drop(conn);
    let mut people = vec![
        (
            "manager".to_owned(),
            "Mira, manager".to_owned(),
            Role::Manager,
        ),
        ("staff".to_owned(), "Sam, staff".to_owned(), Role::Staff),
        ("viewer".to_owned(), "Wall screen".to_owned(), Role::Viewer),
    ];
    let mut suppliers = suppliers;
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

/// The demonstration data has eight; a café with hundreds does not need an account for each here.
const MOST_SUPPLIERS: usize = 8;

async fn provide_one(pool: &Pool, clock: &dyn Clock, account: &NewAccount<'_>) -> db::DbResult<()> {
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
async fn is_taken(tx: &mut db::Transaction, email: &EmailAddress) -> db::DbResult<bool> {
    let login = db::accounts::find_login(tx, email.as_str()).await?;
    Ok(login.is_some())
}
