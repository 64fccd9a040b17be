//! Returns a receipt that is too long.
signet_hostile::guest!("receipt", [], |_| Ok(vec![0; 4097]));
