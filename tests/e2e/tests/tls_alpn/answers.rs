//! What Signet's port answers, and what not.

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use signet_e2e::{Stage, replica};
use signet_lab::{Config, Lab};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::handshake::{ACME, shake_hands};
use crate::{direct, lead};

#[tokio::test]
async fn the_ca_is_answered_and_nobody_else() -> Result<()> {
    let stage = Stage::shared("answers").await?;
    let (challenge, at) = (stage.pending(direct(), "127.0.0.1").await?, stage.lab.site().tls_alpn01());
    for name in [stage.domain.clone(), stage.domain.to_uppercase()] {
        let answer = shake_hands(at, &name, &[ACME]).await?;
        ensure!(answer.protocol.as_deref() == Some(ACME) && answer.proves(&challenge), "{answer:?}");
    }
    let other = format!("other.{}", stage.domain);
    for (name, protocols) in [
        (&*stage.domain, &[&b"h2"[..], b"http/1.1"][..]),
        (&stage.domain, &[]),
        (&stage.domain, &[b"h2", ACME]),
        (&other, &[ACME]),
        (&at.ip().to_string(), &[ACME]),
    ] {
        let refused = shake_hands(at, name, protocols).await;
        let told = refused.err().map(|error| error.to_string()).unwrap_or_default();
        ensure!(told.contains("fatal alert: AccessDenied"), "{name} {protocols:?}: {told:?}");
    }
    Ok(())
}

/// Neither one who speaks another language nor one who says nothing holds a connection.
#[tokio::test]
async fn whoever_does_not_shake_hands_is_hung_up_on() -> Result<()> {
    let at = Lab::shared().await.site().tls_alpn01();
    for said in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\u{16}\u{3}\u{1}", ""] {
        let (mut stream, mut heard) = (TcpStream::connect(at).await?, Vec::new());
        stream.write_all(said.as_bytes()).await?;
        let began = Instant::now();
        // It may end in an alert, or in a reset.
        let _ = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut heard)).await?;
        ensure!(heard.len() < 16, "{said:?} is answered with {heard:?}");
        ensure!(began.elapsed() < Duration::from_secs(8), "{said:?} is listened to for {:?}", began.elapsed());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_replica_answers_through_restarts() -> Result<()> {
    let lab = Lab::start(Config::default()).await?;
    let mut second = replica::second(&lab).await?;
    let flag = "--tls-alpn01-listen-address=";
    second.args.retain(|argument| !argument.starts_with(flag));
    let beside = SocketAddrV4::new(*lab.site().tls_alpn01().ip(), 8443);
    second.args.push(format!("{flag}{beside}"));
    lab.run_component(second).await?;
    replica::waits_for_the_lease(&lab, replica::COMPONENT).await?;

    let stage = Stage::on(&lab, "replicas").await?;
    let (challenge, first) = (stage.pending(direct(), "127.0.0.1").await?, lab.site().tls_alpn01());
    for at in [first, beside] {
        ensure!(shake_hands(at, &stage.domain, &[ACME]).await?.proves(&challenge), "{at} has another answer");
    }
    lab.controller().restart().await?;
    // It waits with the answer until it knows the Challenges.
    let bound = Duration::from_secs(30);
    let listens = async || Ok(TcpStream::connect(first).await.map(Some)?);
    drop(lab.eventually("the next process listens", bound, listens).await?);
    ensure!(shake_hands(first, &stage.domain, &[ACME]).await?.proves(&challenge), "it has another answer");
    replica::leads(&lab, "signet-0").await?;
    lead(&stage, &stage.domain).await?;
    stage.ready("web").await?;
    lab.down().await
}
