//! Takes all the memory that there is.
signet_hostile::guest!("bomb", [], |_| {
    let mut hoard = vec![];
    loop {
        hoard.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
});
