//! Computes for ever.
signet_hostile::guest!("spin", [], |_| {
    loop {
        std::hint::black_box(());
    }
});
