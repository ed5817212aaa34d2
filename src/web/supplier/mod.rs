//! Pages for suppliers: what is theirs, and nothing else.

mod home;

pub(crate) use self::home::show_home;
