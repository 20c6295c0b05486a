//! Where frames go out and events come in.

use link::{Client, ClientConfig, ClientSideEvent, LinkError, OutFrame};
use tokio::sync::mpsc;

use crate::limits::NODE_QUEUE;

/// A connection to a node, whatever carries it.
pub struct NodePort {
    /// Frames for the node. A frame may be lost with the connection.
    pub frames: mpsc::Sender<OutFrame>,
    /// What happens on the connection, in order.
    pub events: mpsc::Receiver<ClientSideEvent>,
    /// Wishes to leave the node with this id for another one, if there is one.
    pub leave: mpsc::Sender<u64>,
}

/// A port over a QUIC link to the first reachable of several nodes.
///
/// # Errors
/// When the link cannot be set up; that no node is reachable is no error.
pub async fn over_link(config: ClientConfig) -> Result<NodePort, LinkError> {
    let servers: Vec<u64> = config.servers.iter().map(|server| server.id).collect();
    let (client, events) = Client::connect(config).await?;
    let (frames, mut queue) = mpsc::channel::<OutFrame>(NODE_QUEUE);
    let (leave, mut wishes) = mpsc::channel(1);
    let moving = client.clone();
    tokio::spawn(async move {
        while let Some(from) = wishes.recv().await {
            let position = servers.iter().position(|server| *server == from).unwrap_or(0);
            moving.move_to(servers[(position + 1) % servers.len()]);
        }
    });
    tokio::spawn(async move {
        while let Some(frame) = queue.recv().await {
            // Lost with the connection: who needs an answer sends again after the next one.
            let _ = client.send(frame).await;
        }
        client.close();
    });
    Ok(NodePort { frames, events, leave })
}
