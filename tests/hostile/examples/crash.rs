//! Panics, after it logged why.
signet_hostile::guest!("crash", [], |challenge| {
    signet_hostile::log::log(signet_hostile::log::Level::Error, "about to give up");
    let never: Option<Vec<u8>> = challenge.fqdn.is_empty().then(Vec::new);
    Ok(never.expect("the impossible"))
});
