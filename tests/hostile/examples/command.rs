//! A program such as `cargo test` makes: it prints, reads what it may, and exits with a code.
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    println!("arguments: {}", arguments.join(" "));
    let [url, code] = &arguments[..] else { std::process::exit(2) };
    let reached = signet_hostile::get(url).is_ok();
    let code: i32 = code.parse().expect("a number");
    std::process::exit(if reached { code } else { 3 });
}
