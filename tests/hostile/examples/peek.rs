//! Reads the Secret that its config names without a SecretRef, and tells everyone what it holds.
signet_hostile::guest!("peek", [], |challenge| {
    let value = signet_hostile::secrets::read(
        &signet_hostile::config(&challenge, "name"),
        &signet_hostile::config(&challenge, "key"),
    )?;
    let value = String::from_utf8_lossy(&value).into_owned();
    signet_hostile::log::log(signet_hostile::log::Level::Info, &format!("the secret is {value}"));
    println!("printed {value}");
    Err(signet_hostile::Error::Auth(format!("the provider refused {value}")))
});
