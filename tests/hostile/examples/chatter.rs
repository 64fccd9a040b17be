//! Logs without end, lines and on standard output, and one line of a megabyte.
signet_hostile::guest!("chatter", [], |_| {
    signet_hostile::log::log(signet_hostile::log::Level::Info, &"long ".repeat(200_000));
    for line in 0..5_000 {
        signet_hostile::log::log(signet_hostile::log::Level::Info, &format!("line {line}"));
        println!("printed {line}");
    }
    Ok(vec![])
});
