//! Beans that somebody else keeps locked.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::BeanId;

/// Beans that were waited for in vain. Until they are got once, nobody waits for them again: their
/// messages would hold up all others each time.
#[derive(Debug, Default)]
pub struct BusyBeans(Mutex<BTreeSet<BeanId>>);

impl BusyBeans {
    /// Sorts beans into those to wait for and those not to.
    pub(super) fn sort(&self, beans: &BTreeSet<BeanId>) -> (Vec<BeanId>, Vec<BeanId>) {
        let busy = self.beans();
        beans.iter().partition(|bean| !busy.contains(bean))
    }

    /// Notes which of the beans that were asked for could not be locked.
    pub(super) fn note(&self, asked: &BTreeSet<BeanId>, locked_by_others: &BTreeSet<BeanId>) {
        let mut busy = self.beans();
        busy.retain(|bean| !asked.contains(bean));
        busy.extend(locked_by_others);
    }

    fn beans(&self) -> MutexGuard<'_, BTreeSet<BeanId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
