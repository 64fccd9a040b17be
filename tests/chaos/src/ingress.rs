//! An ingress before the controller, on the ports that the CA knows.
//!
//! It tries again while nobody answers, as one does that has another replica to go to. Without it a
//! CA that looks in the very moment of a death finds nobody, and says so: the attempt has failed, and
//! the next one is an hour later.

use std::net::SocketAddrV4;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use signet_lab::{Chart, Lab, Port};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Where the controller answers HTTP-01 and TLS-ALPN-01 instead.
const BEHIND: u16 = 8089;
const BEHIND_TLS: u16 = 8443;
/// How long it tries: less than the CA waits.
const TRIES: u32 = 200;
const PAUSE: Duration = Duration::from_millis(20);

/// An ingress, while it is kept.
pub(crate) struct Ingress {
    _serving: JoinSet<()>,
}

impl Ingress {
    /// Takes the ports, and installs Signet behind them.
    pub(crate) async fn before_signet(lab: &Lab, chart: Chart) -> Result<Self> {
        let listener = TcpListener::bind(lab.site().at(Port::Http01)).await.context("the ingress has no port")?;
        let behind = SocketAddrV4::new(lab.site().address, BEHIND);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut requests = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                requests.spawn(serve(stream, behind));
            }
        });
        let listener = TcpListener::bind(lab.site().tls_alpn01()).await.context("the ingress has no TLS port")?;
        let behind_tls = SocketAddrV4::new(lab.site().address, BEHIND_TLS);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(pass_through(stream, behind_tls));
            }
        });
        let extra_args =
            vec![format!("--http01-listen-address={behind}"), format!("--tls-alpn01-listen-address={behind_tls}")];
        lab.install(&Chart { extra_args, ..chart }).await?;
        Ok(Self { _serving: serving })
    }
}

/// Answers one request. Whoever sent it sees a broken connection when that fails.
async fn serve(mut stream: TcpStream, behind: SocketAddrV4) -> Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    // The end of the answer is the end of the connection.
    head.truncate(head.len() - 2);
    head.extend(b"Connection: close\r\n\r\n");
    for _ in 1..TRIES {
        if let Ok(answer) = ask(&head, behind).await {
            return Ok(stream.write_all(&answer).await?);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(stream.write_all(&ask(&head, behind).await?).await?)
}

/// Passes one connection through as it is. One that was begun can not be begun again.
async fn pass_through(mut stream: TcpStream, behind: SocketAddrV4) -> Result<()> {
    for _ in 1..TRIES {
        if let Ok(mut onward) = TcpStream::connect(behind).await {
            tokio::io::copy_bidirectional(&mut stream, &mut onward).await?;
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// One try. A process that has just started knows no token yet, which is as good as none.
async fn ask(head: &[u8], behind: SocketAddrV4) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(behind).await?;
    stream.write_all(head).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    ensure!(answer.starts_with(b"HTTP/1.1 200"), "it answers {}", String::from_utf8_lossy(&answer));
    Ok(answer)
}
