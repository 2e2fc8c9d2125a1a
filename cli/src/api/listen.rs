//! Connections of clients, and how the server stops: requests in flight are answered first.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Semaphore;

/// How many clients may be connected; more wait.
const CLIENTS: usize = 1024;
/// How long a client may take for the head of a request, and be idle between two.
const HEAD: Duration = Duration::from_secs(30);
/// How long requests in flight have, once the server is to stop.
const LAST: Duration = Duration::from_secs(60);

pub async fn serve(listener: TcpListener, router: Router) -> Result<()> {
    let mut stop = Stop::new()?;
    let address = listener.local_addr()?;
    tracing::info!("listening on http://{address}");
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(CLIENTS));
    loop {
        let place = Arc::clone(&room).acquire_owned();
        let accepted = async {
            let place = place.await;
            (listener.accept().await, place)
        };
        tokio::select! {
            (accepted, place) = accepted => match accepted {
                Ok((stream, _)) => {
                    let connection = graceful.watch(connection(stream, router.clone()));
                    tokio::spawn(async move {
                        // How it ended is the client's affair.
                        connection.await.ok();
                        drop(place);
                    });
                }
                // No file descriptors, mostly: some will be free again.
                Err(error) => {
                    tracing::warn!("a client could not connect: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            () = stop.asked() => break,
        }
    }
    drop(listener);
    tracing::info!("stopping: requests in flight are answered first");
    tokio::select! {
        () = graceful.shutdown() => tracing::info!("stopped"),
        () = stop.asked() => tracing::warn!("stopped at once"),
        () = tokio::time::sleep(LAST) => tracing::warn!("stopped, with requests in flight"),
    }
    Ok(())
}

fn connection(stream: TcpStream, router: Router) -> http1::Connection<TokioIo<TcpStream>, TowerToHyperService<Router>> {
    // An answer is written in one piece, or in large ones: none waits for a next.
    stream.set_nodelay(true).ok();
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
}

/// SIGTERM, or Ctrl-C.
struct Stop {
    terminated: Signal,
    interrupted: Signal,
}

impl Stop {
    fn new() -> Result<Self> {
        let of = |kind| signal(kind).context("cannot listen to signals");
        Ok(Self {
            terminated: of(SignalKind::terminate())?,
            interrupted: of(SignalKind::interrupt())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminated.recv() => {}
            _ = self.interrupted.recv() => {}
        }
    }
}
