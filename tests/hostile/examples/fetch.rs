//! GETs whatever its config says, wherever a redirect leads.
signet_hostile::guest!("fetch", ["{config.granted}"], |challenge| {
    let mut url = signet_hostile::config(&challenge, "url");
    for _ in 0..3 {
        let (status, location, length) = signet_hostile::get(&url).map_err(signet_hostile::Error::Transient)?;
        match location {
            Some(next) => url = next,
            None => return Ok(format!("{status} {length}").into_bytes()),
        }
    }
    Err(signet_hostile::Error::Transient("redirected too often".to_owned()))
});
