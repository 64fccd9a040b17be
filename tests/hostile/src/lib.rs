//! What the guests share: the contract's bindings, a manifest in the right section, and a request.
//!
//! It uses no SDK: the guests show what the host stands, not what an SDK prevents.

pub use serde_json;

wit_bindgen::generate!({
    world: "dns01-solver",
    path: "../../wit/solver-0.1.0",
    pub_export_macro: true,
    export_macro_name: "export_dns01",
});

pub use exports::signet::solver::dns01::{Challenge, Guest};
pub use signet::solver::types::Error;
pub use signet::solver::{dns, kube, log, secrets};

/// A DNS-01 guest with a name, the hosts that it asks for, and what `present` does.
#[macro_export]
macro_rules! guest {
    ($name:literal, [$($host:literal),*], $present:expr) => {
        struct Component;

        impl $crate::Guest for Component {
            fn present(challenge: $crate::Challenge) -> Result<Vec<u8>, $crate::Error> {
                let present: fn($crate::Challenge) -> Result<Vec<u8>, $crate::Error> = $present;
                present(challenge)
            }

            fn cleanup(_: $crate::Challenge, _: Option<Vec<u8>>) -> Result<(), $crate::Error> {
                Ok(())
            }
        }

        $crate::export_dns01!(Component with_types_in $crate);

        const _: () = {
            const TEXT: &str = concat!(
                r#"{"name":""#, $name, r#"","version":"1.0.0","wit":"signet:solver@0.1.0","challenges":["dns-01"],"#,
                r#""kubernetes":[{"apiVersion":"v1","kind":"Service","verbs":["get"]}],"#,
                r#""hosts":["https://unused.test""#, $(",\"", $host, "\"",)* "]}",
            );
            #[unsafe(link_section = "signet-solver-manifest")]
            #[used]
            static MANIFEST: [u8; TEXT.len()] = *TEXT.as_bytes().first_chunk().expect("as long as itself");
        };
    };
}

/// A string of the config, empty when it is not there.
pub fn config(challenge: &Challenge, field: &str) -> String {
    let config: serde_json::Value = serde_json::from_str(&challenge.config).expect("the host sends JSON");
    config[field].as_str().unwrap_or_default().to_owned()
}

/// GETs `url`, taken apart without any care. Returns the status, the `location` and the length of
/// the body.
pub fn get(url: &str) -> Result<(u16, Option<String>, usize), String> {
    use wasip2::http::types::{Fields, OutgoingRequest, Scheme};
    let (scheme, rest) = url.split_once("://").ok_or("no scheme")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let request = OutgoingRequest::new(Fields::new());
    let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
    request.set_scheme(Some(&scheme)).map_err(|()| "scheme refused")?;
    request.set_authority(Some(authority)).map_err(|()| "authority refused")?;
    request.set_path_with_query(Some(&format!("/{path}"))).map_err(|()| "path refused")?;
    let answer = wasip2::http::outgoing_handler::handle(request, None).map_err(|code| format!("{code:?}"))?;
    answer.subscribe().block();
    let response = answer.get().ok_or("no answer")?.map_err(|()| "taken")?.map_err(|code| format!("{code:?}"))?;
    let location = response.headers().get("location").pop().and_then(|value| String::from_utf8(value).ok());
    let body = response.consume().map_err(|()| "taken")?;
    let stream = body.stream().map_err(|()| "taken")?;
    let mut length = 0;
    loop {
        match stream.blocking_read(1 << 16) {
            Ok(chunk) => length += chunk.len(),
            Err(wasip2::io::streams::StreamError::Closed) => return Ok((response.status(), location, length)),
            Err(error) => return Err(format!("body: {error:?}")),
        }
    }
}
