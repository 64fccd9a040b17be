//! Waits for an hour, without computing.
signet_hostile::guest!("sleep", [], |_| {
    std::thread::sleep(std::time::Duration::from_secs(3600));
    Ok(vec![])
});
