//! Which bean an update is about: the one of its supplier that has the type it names, or the one that the café has
//! settled that name to mean.

use std::collections::{BTreeSet, HashMap};

use crate::db::beans::Offer;
use crate::db::{self, Connection, DbResult};
use crate::domain::{
    BeanId, BeanType, InventoryUpdate, Reason, Refusal, SupplierId, isolate, nearest, quote,
};

/// The bean that an update is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meant {
    pub bean: BeanId,
    /// What people are told where the name is not the bean's own.
    pub note: Option<String>,
}

/// Finds the beans that updates are about; what could not be read stays refused.
pub(super) async fn find_beans(
    conn: &mut Connection,
    says: &[Result<&InventoryUpdate, &Refusal>],
) -> DbResult<Vec<Result<Meant, Refusal>>> {
    let readable = || says.iter().filter_map(|says| says.ok());
    let suppliers: BTreeSet<SupplierId> = readable().map(|update| update.supplier).collect();
    let suppliers: Vec<SupplierId> = suppliers.into_iter().collect();
    let offers = db::beans::find_offers(conn, &suppliers).await?;
    let offers: HashMap<SupplierId, Keyed<'_>> = offers
        .iter()
        .map(|(supplier, offer)| (*supplier, Keyed::from(offer)))
        .collect();
    // Many name the same bean, and comparing names takes time.
    let mut known: HashMap<(SupplierId, &str), Result<Meant, Refusal>> = HashMap::new();
    let mut found: Vec<Result<Meant, Refusal>> = says
        .iter()
        .map(|says| match says {
            Ok(update) => known
                .entry((update.supplier, update.bean_type.as_str()))
                .or_insert_with(|| find_offered(&offers, update).map(Meant::from))
                .clone(),
            Err(refusal) => Err((*refusal).clone()),
        })
        .collect();
    look_up_aliases(conn, says, &mut found).await?;
    Ok(found)
}

impl From<BeanId> for Meant {
    fn from(bean: BeanId) -> Self {
        Self { bean, note: None }
    }
}

/// Looks up the names that no bean has. Mostly there is none, and nobody is asked.
async fn look_up_aliases(
    conn: &mut Connection,
    says: &[Result<&InventoryUpdate, &Refusal>],
    found: &mut [Result<Meant, Refusal>],
) -> DbResult<()> {
    let is_unknown = |found: &Result<Meant, Refusal>| {
        let refusal = found.as_ref().err();
        refusal.is_some_and(|refusal| refusal.reason == Reason::UnknownBean)
    };
    let unknown = says.iter().zip(found.iter());
    let names: BTreeSet<(SupplierId, String)> = unknown
        .filter(|(_, found)| is_unknown(found))
        .filter_map(|(says, _)| says.ok().map(name))
        .collect();
    let names: Vec<(SupplierId, String)> = names.into_iter().collect();
    let aliases = db::bean_aliases::find_aliases(conn, &names).await?;
    for (says, found) in says.iter().zip(found) {
        if let Ok(update) = says
            && is_unknown(found)
            && let Some((bean, bean_type)) = aliases.get(&name(update))
        {
            *found = Ok(Meant {
                bean: *bean,
                note: Some(format!(
                    "It was applied to {}: {} is another name for it.",
                    quote(bean_type),
                    quote(update.bean_type.as_str())
                )),
            });
        }
    }
    Ok(())
}

fn name(update: &InventoryUpdate) -> (SupplierId, String) {
    (update.supplier, update.bean_type.key())
}

/// What a supplier offers, with the keys by which names are compared: computing one takes a while.
struct Keyed<'a> {
    offer: &'a Offer,
    keys: Vec<String>,
}

impl<'a> From<&'a Offer> for Keyed<'a> {
    fn from(offer: &'a Offer) -> Self {
        let key = |(_, bean_type): &(BeanId, String)| BeanType::stored(bean_type.clone()).key();
        Self {
            keys: offer.beans.iter().map(key).collect(),
            offer,
        }
    }
}

/// Finds the bean an update is about among what its supplier offers.
///
/// # Errors
/// [`Reason::UnknownSupplier`], [`Reason::SupplierInactive`], [`Reason::UnknownBean`] or
/// [`Reason::AmbiguousBean`].
fn find_offered(
    offers: &HashMap<SupplierId, Keyed<'_>>,
    update: &InventoryUpdate,
) -> Result<BeanId, Refusal> {
    let Some(Keyed { offer, keys }) = offers.get(&update.supplier) else {
        return Err(Refusal::new(
            Reason::UnknownSupplier,
            format!("There is no supplier {}.", update.supplier),
        ));
    };
    if !offer.active {
        return Err(Refusal::new(
            Reason::SupplierInactive,
            format!(
                "{} is switched off, so its updates are not taken.",
                isolate(&offer.supplier_name)
            ),
        ));
    }
    let key = update.bean_type.key();
    let mut meant = offer
        .beans
        .iter()
        .zip(keys)
        .filter(|(_, own)| **own == key)
        .map(|((id, _), _)| *id);
    match (meant.next(), meant.next()) {
        (Some(id), None) => Ok(id),
        (None, _) => Err(unknown_bean(offer, keys, update.bean_type.as_str())),
        (Some(one), Some(other)) => Err(Refusal::new(
            Reason::AmbiguousBean,
            format!(
                "{} has several beans whose types look like {}: beans {one} and {other}. Give them \
                 types that differ, and send it again.",
                isolate(&offer.supplier_name),
                quote(update.bean_type.as_str())
            ),
        )),
    }
}

fn unknown_bean(offer: &Offer, keys: &[String], typed: &str) -> Refusal {
    let offered = offer.beans.iter().map(|(_, bean_type)| bean_type.as_str());
    let hint = match nearest(typed, keys.iter().zip(offered)) {
        Some(meant) => format!(" Did you mean {}?", quote(meant)),
        None => String::new(),
    };
    Refusal::new(
        Reason::UnknownBean,
        format!(
            "{} has no bean of type {}.{hint}",
            isolate(&offer.supplier_name),
            quote(typed)
        ),
    )
}
