//! The website in a real browser. `make test-browser` runs these; they are ignored where there may be none.

mod accounts;
mod alerts;
mod cafe;
mod every_page;
mod letters;
mod updates;
