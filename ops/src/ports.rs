//! Ports on the loopback address for networks that run on one machine.
//!
//! A free port is one that could be bound. All of one [`Ports`] stay bound until it is dropped, so that
//! it never gives one twice; between that and the use somebody else may still take one. They lie below
//! the range from which systems choose the ports of outgoing connections: otherwise a connection of a
//! client could sit on the port of a node that is just being restarted.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use anyhow::{Context, Result, bail};

use crate::description::PortPlan;

const LOWEST: u16 = 16_000;
const HIGHEST: u16 = 32_000;

/// Gives out loopback addresses.
#[derive(Debug)]
pub struct Ports {
    plan: PortPlan,
    udp: Vec<UdpSocket>,
    tcp: Vec<TcpListener>,
}

impl Ports {
    /// Ports after a plan.
    pub fn new(plan: PortPlan) -> Self {
        Self { plan, udp: Vec::new(), tcp: Vec::new() }
    }

    /// An address for QUIC.
    pub fn udp(&mut self) -> Result<SocketAddr> {
        if let Some(planned) = self.planned()? {
            return Ok(planned);
        }
        let (address, socket) = free(UdpSocket::bind)?;
        self.udp.push(socket);
        Ok(address)
    }

    /// An address for HTTP.
    pub fn tcp(&mut self) -> Result<SocketAddr> {
        if let Some(planned) = self.planned()? {
            return Ok(planned);
        }
        let (address, socket) = free(TcpListener::bind)?;
        self.tcp.push(socket);
        Ok(address)
    }

    fn planned(&mut self) -> Result<Option<SocketAddr>> {
        let PortPlan::From(port) = self.plan else { return Ok(None) };
        let next = port.checked_add(1).context("the base port is too high for this many banks")?;
        self.plan = PortPlan::From(next);
        Ok(Some((Ipv4Addr::LOCALHOST, port).into()))
    }
}

/// Binds the first free port after a random one, so that networks started at once rarely meet.
fn free<S>(bind: impl Fn(SocketAddr) -> io::Result<S>) -> Result<(SocketAddr, S)> {
    let mut random = [0; 2];
    getrandom::fill(&mut random).context("read the system's random source")?;
    let start = u16::from_le_bytes(random);
    let count = HIGHEST - LOWEST;
    for step in 0..count {
        let port = LOWEST + (start % count + step) % count;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if let Ok(socket) = bind(address) {
            return Ok((address, socket));
        }
    }
    bail!("no port between {LOWEST} and {HIGHEST} is free on this machine")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn planned_ports_follow_each_other_and_free_ones_differ() {
        let mut planned = Ports::new(PortPlan::From(7100));
        assert_eq!(planned.udp().unwrap().port(), 7100);
        assert_eq!(planned.tcp().unwrap().port(), 7101);
        assert!(Ports::new(PortPlan::From(u16::MAX)).udp().is_err());
        let mut free = Ports::new(PortPlan::Free);
        let all: Vec<_> = (0..8).map(|_| free.tcp().unwrap().port()).collect();
        assert!(all.iter().all(|port| all.iter().filter(|other| *other == port).count() == 1));
    }
}
