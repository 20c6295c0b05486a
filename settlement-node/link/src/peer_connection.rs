//! The life of one connection between two nodes: dialled or accepted, greeted, served, ended.
//!
//! Each side's tasks hold the connection only as long as it is the one kept for that peer
//! ([`crate::peer_slot`]). Every failure that is the other side's doing is told to it with a code
//! and a text before the connection is closed.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use quinn::{Connection, SendStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use wire::frame::{FRAME_HEADER_BYTES, Frame, PEER_FRAME_BYTES_MAX};

use crate::endpoint::{Backoff, within};
use crate::error::{CloseCode, Failure};
use crate::hello::{self, Hello};
use crate::limits::{DIAL_HEAD_START, GOOD_CONNECTION_TIME, HANDSHAKE_TIME_MAX};
use crate::peer_slot::{Active, Origin, PeerSlot};
use crate::peers::{Lane, PeerEvent, Shared};
use crate::queue::Queue;
use crate::stream::{FrameReader, write_queue};
use crate::tls;

/// A connection on which the hellos agreed, before it is known whether it is kept.
struct Ready {
    active: Arc<Active>,
    control: (SendStream, FrameReader),
    append: (SendStream, FrameReader),
}

/// Dials one peer whenever there is no connection with it.
pub(crate) async fn keep_connected(shared: Arc<Shared>, slot: Arc<PeerSlot>) {
    let mut stop = shared.stop.clone();
    let mut backoff = Backoff::default();
    let mut last_error = String::new();
    let work = async {
        loop {
            let waiting = Instant::now();
            slot.until_disconnected().await;
            if waiting.elapsed() >= GOOD_CONNECTION_TIME {
                backoff.reset();
            }
            if shared.node_id > slot.id {
                tokio::time::sleep(DIAL_HEAD_START).await;
                if slot.current().is_some() {
                    continue;
                }
            }
            match dial(&shared, &slot).await {
                Ok(ready) => {
                    last_error.clear();
                    let started = Instant::now();
                    serve(&shared, &slot, ready).await;
                    if started.elapsed() >= GOOD_CONNECTION_TIME {
                        backoff.reset();
                    }
                }
                Err(error) if error.is_superseded() => {}
                Err(error) => {
                    // A peer that stays away is one line in the log, not one a second.
                    let text = error.to_string();
                    if text != last_error {
                        tracing::warn!(peer = slot.id, addr = %slot.addr, error = %text,
                            "cannot connect to peer; trying on");
                        last_error = text;
                    }
                }
            }
            tokio::time::sleep(backoff.next()).await;
        }
    };
    tokio::select! {
        () = stop.stopped() => {}
        () = work => {}
    }
}

/// Connects to a peer and exchanges hellos.
async fn dial(shared: &Shared, slot: &PeerSlot) -> Result<Ready, Failure> {
    within(HANDSHAKE_TIME_MAX, async {
        let connecting =
            shared.endpoint.connect_with(slot.dial.clone(), slot.addr, tls::SERVER_NAME)?;
        let connection = connecting.await?;
        let greet = greet_as_dialler(shared, slot, &connection);
        closing_on_failure(&connection, greet).await
    })
    .await
}

async fn greet_as_dialler(
    shared: &Shared,
    slot: &PeerSlot,
    connection: &Connection,
) -> Result<Ready, Failure> {
    let (mut control, control_in) = connection.open_bi().await?;
    let (mut append, append_in) = connection.open_bi().await?;
    prioritise(&control)?;
    hello::send_hello(&mut control, &shared.hello).await?;
    hello::send_lane(&mut append).await?;
    let mut reader = FrameReader::new(control_in, connection, hello::FIRST_FRAME_BYTES_MAX);
    let theirs = hello::read_hello(&mut reader).await?;
    shared.check(slot, &theirs)?;
    reader.set_limit(PEER_FRAME_BYTES_MAX);
    let origin = Origin { dialled_by_lower: shared.node_id < slot.id, instance: theirs.instance };
    Ok(Ready {
        active: Arc::new(Active::new(connection.clone(), origin)),
        control: (control, reader),
        append: (append, FrameReader::new(append_in, connection, PEER_FRAME_BYTES_MAX)),
    })
}

/// Takes in a connection dialled by a peer.
pub(crate) async fn accept(
    shared: Arc<Shared>,
    connection: Connection,
    permit: OwnedSemaphorePermit,
) {
    let remote = connection.remote_address();
    let Some(peer) = tls::key_of(&connection).and_then(|key| shared.pins.get(&key)) else {
        return CloseCode::Key.close(&connection, "key is not pinned");
    };
    let Some(slot) = shared.slots.get(&peer) else { return };
    let greet = greet_as_listener(&shared, slot, &connection);
    let greeted = within(HANDSHAKE_TIME_MAX, closing_on_failure(&connection, greet)).await;
    drop(permit);
    match greeted {
        Ok(ready) => serve(&shared, slot, ready).await,
        Err(error) if error.is_superseded() => {}
        Err(error) => {
            tracing::warn!(peer, %remote, %error, "connection from peer refused");
            CloseCode::Done.close(&connection, "no hello in time");
        }
    }
}

async fn greet_as_listener(
    shared: &Shared,
    slot: &PeerSlot,
    connection: &Connection,
) -> Result<Ready, Failure> {
    let (mut control, control_in) = connection.accept_bi().await?;
    prioritise(&control)?;
    let mut reader = FrameReader::new(control_in, connection, hello::FIRST_FRAME_BYTES_MAX);
    let theirs = hello::read_hello(&mut reader).await?;
    shared.check(slot, &theirs)?;
    let origin = Origin { dialled_by_lower: slot.id < shared.node_id, instance: theirs.instance };
    // Judged before we answer, so that the peer does not count a connection that is not kept.
    if !slot.would_adopt(origin) {
        return Err(Failure::Superseded);
    }
    hello::send_hello(&mut control, &shared.hello).await?;
    let (append, append_in) = connection.accept_bi().await?;
    let mut append_reader = FrameReader::new(append_in, connection, hello::FIRST_FRAME_BYTES_MAX);
    hello::read_lane(&mut append_reader).await?;
    reader.set_limit(PEER_FRAME_BYTES_MAX);
    append_reader.set_limit(PEER_FRAME_BYTES_MAX);
    Ok(Ready {
        active: Arc::new(Active::new(connection.clone(), origin)),
        control: (control, reader),
        append: (append, append_reader),
    })
}

impl Shared {
    fn check(&self, slot: &PeerSlot, theirs: &Hello) -> Result<(), Failure> {
        theirs.check(&self.hello, slot.id)?;
        (self.hello_check)(slot.id, &theirs.payload).map_err(Failure::Hello)
    }
}

/// The control lane goes out before everything else.
fn prioritise(control: &SendStream) -> Result<(), Failure> {
    control.set_priority(10).map_err(|error| Failure::Stream(error.to_string()))
}

/// Runs a step of the handshake; on failure the other side is told why.
async fn closing_on_failure<T>(
    connection: &Connection,
    step: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    step.await.inspect_err(|error| error.code().close(connection, &error.to_string()))
}

/// Serves a connection from the decision to keep it until its end.
async fn serve(shared: &Arc<Shared>, slot: &Arc<PeerSlot>, ready: Ready) {
    let Ready { active, control, append } = ready;
    match slot.adopt(&active) {
        Ok(Some(old)) => CloseCode::Superseded.close(&old.connection, "replaced by a newer one"),
        Ok(None) => {}
        Err(_) => return CloseCode::Superseded.close(&active.connection, "another one is kept"),
    }
    let mut stop = shared.stop.clone();
    let peer = slot.id;
    let work = async {
        let _turn = slot.turn.lock().await;
        // Replaced while it waited for its turn: nobody has heard of it, nobody needs to.
        if active.connection.close_reason().is_none()
            && shared.events.send(PeerEvent::Connected { peer }).await.is_ok()
        {
            let remote = active.connection.remote_address();
            tracing::info!(peer, %remote, "peer connected");
            let reason = exchange(shared, slot, &active, control, append).await;
            tracing::info!(peer, %reason, "peer disconnected");
            let _ = shared.events.send(PeerEvent::Disconnected { peer }).await;
        }
        slot.release(&active);
    };
    tokio::select! {
        () = stop.stopped() => {}
        () = work => {}
    }
    active.connection.close(quinn::VarInt::from_u32(CloseCode::Done as u32), b"node is stopping");
    slot.release(&active);
}

/// Moves frames until the connection ends; returns why it did.
async fn exchange(
    shared: &Arc<Shared>,
    slot: &Arc<PeerSlot>,
    active: &Arc<Active>,
    control: (SendStream, FrameReader),
    append: (SendStream, FrameReader),
) -> String {
    let mut readers = JoinSet::new();
    let mut writers = JoinSet::new();
    for (lane, (out, reader)) in [(Lane::Control, control), (Lane::Append, append)] {
        readers.spawn(read_lane(shared.clone(), slot.clone(), lane, reader));
        let (slot, active) = (slot.clone(), active.clone());
        writers.spawn(async move {
            let queue: &Queue = match lane {
                Lane::Control => &active.control,
                Lane::Append => &active.append,
            };
            write_queue(out, queue, PEER_FRAME_BYTES_MAX, &slot.sent_bytes).await
        });
    }
    let first = tokio::select! {
        Some(ended) = readers.join_next() => ended,
        Some(ended) = writers.join_next() => ended,
        // Seen also while the readers wait for a slow receiver and there is nothing to write.
        reason = active.connection.closed() => Ok(Err(Failure::Connection(reason))),
    };
    let failure = match first {
        Ok(Ok(())) => Failure::Ended,
        Ok(Err(failure)) => failure,
        Err(panicked) => Failure::Stream(panicked.to_string()),
    };
    // From here on senders are told that the peer is gone, and the dialler may start.
    slot.release(active);
    let lost = active.control.abort() + active.append.abort();
    slot.dropped.fetch_add(lost as u64, Ordering::Relaxed);
    let reason = match &failure {
        Failure::Ended => "stream was finished by the other side".to_owned(),
        failure => failure.to_string(),
    };
    failure.code().close(&active.connection, &reason);
    // The readers deliver what has arrived and end with the connection.
    while readers.join_next().await.is_some() {}
    reason
}

async fn read_lane(
    shared: Arc<Shared>,
    slot: Arc<PeerSlot>,
    lane: Lane,
    mut reader: FrameReader,
) -> Result<(), Failure> {
    let room = match lane {
        Lane::Control => &slot.control_room,
        Lane::Append => &slot.append_room,
    };
    while let Some(frame) = reader.next_message().await? {
        count_received(&slot.received_bytes, &frame);
        let credit = tokio::select! {
            biased;
            credit = room.take(frame.payload.len()) => credit,
            () = reader.closed() => return Err(reader.end_of_connection()),
        };
        let event = PeerEvent::Frame { peer: slot.id, frame, credit };
        if shared.events.send(event).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Adds the size of a received frame on the wire.
fn count_received(counter: &AtomicU64, frame: &Frame) {
    let bytes = FRAME_HEADER_BYTES + frame.payload.len();
    counter.fetch_add(bytes as u64, Ordering::Relaxed);
}
