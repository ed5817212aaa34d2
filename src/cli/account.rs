//! `beanstock account`: the first manager, and rescue for those who cannot sign in.

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;

use super::database::{Database, connect};
use super::output::print;
use crate::accounts::{self, Passwords, Person, Token};
use crate::clock::SystemClock;
use crate::db::accounts::Account as Listed;
use crate::db::activity::Actor;
use crate::db::{self, Pool};
use crate::domain::{AccountId, EmailAddress, NewPassword, Role, ShortText, SupplierId};
use crate::web;

/// What to do as long as nobody can make accounts in the browser.
pub(super) const HOW_TO_BEGIN: &str = "There is no manager yet. Make the first, who can then invite the others: beanstock account \
     create --role manager --email you@example.com --name 'Your name'";

/// Makes accounts, and helps those who cannot sign in.
#[derive(Debug, clap::Args)]
pub(super) struct Account {
    #[command(flatten)]
    database: Database,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes an account; its password is asked for, or read from standard input.
    Create(New),
    /// Makes an account, and a link with which its owner chooses the password within seven days.
    Invite(New),
    /// Lists the accounts.
    List,
    /// Keeps somebody from signing in, and ends their sessions.
    Disable {
        /// The email address they sign in with
        email: String,
    },
    /// Lets somebody sign in again.
    Enable {
        /// The email address they sign in with
        email: String,
    },
    /// Makes a link with which somebody chooses a new password within an hour.
    Reset {
        /// The email address they sign in with
        email: String,
    },
}

/// Somebody who gets an account.
#[derive(Debug, clap::Args)]
struct New {
    /// The email address they sign in with
    #[arg(long)]
    email: String,
    /// What they are called
    #[arg(long)]
    name: String,
    /// What they may do
    #[arg(long, value_parser = ["manager", "staff", "viewer", "supplier"])]
    role: String,
    /// The number of the supplier, for the role supplier
    #[arg(long, required_if_eq("role", "supplier"))]
    supplier: Option<i64>,
}

impl New {
    fn person(&self) -> Result<Person> {
        let supplier = self.supplier.map(SupplierId);
        let role = Role::from_code(&self.role, supplier);
        Ok(Person {
            email: EmailAddress::parse(&self.email)
                .map_err(|error| anyhow::anyhow!("--email {error}"))?,
            name: ShortText::parse(&self.name)
                .map_err(|error| anyhow::anyhow!("--name {error}"))?,
            role: role.context("--supplier goes with --role supplier alone")?,
        })
    }
}

pub(super) async fn run(account: Account) -> Result<ExitCode> {
    let Account { database, command } = account;
    // Asked for first, so that nobody types it for nothing.
    let pool = connect(&database.database, &database.aws).await?;
    db::refuse_labs_tables(&mut *pool.acquire().await?).await?;
    match command {
        Command::Create(new) => create(&pool, &new).await,
        Command::Invite(new) => invite(&pool, &new).await,
        Command::List => list(&pool).await,
        Command::Disable { email } => {
            let id = find(&pool, &email).await?;
            accounts::disable(&pool, &SystemClock, Actor::OPERATOR, id).await?;
            print(&format!("{email} cannot sign in any more."))
        }
        Command::Enable { email } => {
            let id = find(&pool, &email).await?;
            accounts::enable(&pool, Actor::OPERATOR, id).await?;
            print(&format!("{email} can sign in again."))
        }
        Command::Reset { email } => {
            let id = find(&pool, &email).await?;
            let link = accounts::make_reset_link(&pool, Actor::OPERATOR, id).await?;
            tell_link(&email, &link)
        }
    }
}

async fn create(pool: &Pool, new: &New) -> Result<ExitCode> {
    let person = new.person()?;
    let personal = [person.email.as_str(), person.name.as_str()];
    let password = NewPassword::parse(&read_password()?, &personal)
        .map_err(|error| anyhow::anyhow!("the password {error}"))?;
    let hash = Passwords::default().hash(&password).await?;
    accounts::create(pool, &SystemClock, Actor::OPERATOR, &person, &hash).await?;
    print(&format!("{} can sign in now.", new.email))
}

async fn invite(pool: &Pool, new: &New) -> Result<ExitCode> {
    let person = new.person()?;
    let (_, link) = accounts::invite(pool, &SystemClock, Actor::OPERATOR, &person).await?;
    tell_link(&new.email, &link)
}

fn tell_link(email: &str, link: &Token) -> Result<ExitCode> {
    print(&format!(
        "With this link {email} chooses a password. It is shown this once; put the address of your site in \
         front of it:\n\n  {}\n",
        web::welcome(link)
    ))
}

async fn list(pool: &Pool) -> Result<ExitCode> {
    let accounts = db::accounts::list_accounts(&mut *pool.acquire().await?).await?;
    if accounts.is_empty() {
        return print("There are no accounts yet.");
    }
    let lines: Vec<String> = accounts.iter().map(line).collect();
    print(&lines.join("\n"))
}

fn line(account: &Listed) -> String {
    let standing = match (account.disabled_at, account.has_password) {
        (Some(_), _) => "disabled",
        (None, true) => "active",
        (None, false) => "invited",
    };
    let supplier = account.role.supplier();
    let supplier = supplier.map_or_else(String::new, |supplier| format!(" {supplier}"));
    format!(
        "{:10} {:12} {:32} {}",
        standing,
        format!("{}{supplier}", account.role.code()),
        account.email,
        account.name
    )
}

async fn find(pool: &Pool, email: &str) -> Result<AccountId> {
    let login = db::accounts::find_login(&mut *pool.acquire().await?, email).await?;
    match login {
        Some(login) => Ok(login.id),
        None => bail!("nobody has an account with the email address {email}"),
    }
}

/// Reads a password without showing it; or the first line of standard input, for scripts.
fn read_password() -> Result<String> {
    if std::io::stdin().is_terminal() {
        let password = rpassword::prompt_password("Password: ")?;
        if rpassword::prompt_password("Again:    ")? != password {
            bail!("the two are not the same");
        }
        return Ok(password);
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
