//! Interfaces, addresses, routes, resolver, as the kernel lists them in `/proc/net` and `/sys/class/net` (proc(5)).

use std::net::{Ipv4Addr, Ipv6Addr};

use rectify_core::module::ModuleError;
use serde_json::{Map, Value, json};

use super::{Facts, Look, put};

/// An IPv4 route.
struct Route {
    interface: String,
    network: u32,
    gateway: u32,
    mask: u32,
    metric: u32,
}

/// An IPv6 address on an interface.
struct Address6 {
    interface: String,
    address: Ipv6Addr,
    prefix: u8,
    scope: &'static str,
}

pub(super) fn gather(look: Look<'_>, facts: &mut Facts) -> Result<(), ModuleError> {
    let routes = routes(&look.text("/proc/net/route")?.unwrap_or_default());
    let local = local_addresses(&look.text("/proc/net/fib_trie")?.unwrap_or_default());
    let six = addresses6(&look.text("/proc/net/if_inet6")?.unwrap_or_default());
    let interfaces = look.names("/sys/class/net")?;
    let mut default4 = Map::new();
    let default_route = routes.iter().filter(|r| r.mask == 0 && r.gateway != 0).min_by_key(|r| r.metric);
    let mut described = Vec::new();
    for name in interfaces.iter().filter(|name| look.exists(format!("/sys/class/net/{name}/ifindex")).unwrap_or(false))
    {
        let mut fact = interface(look, name)?;
        let four: Vec<Value> = local.iter().filter_map(|a| network_of(*a, name, &routes)).collect();
        if name != "lo"
            && let Some(route) = default_route.filter(|r| r.interface == *name)
        {
            default4 = default_address(route, &four, &fact);
        }
        let mut four = four.into_iter();
        put(&mut fact, "ipv4", four.next());
        let more: Vec<Value> = four.collect();
        put(&mut fact, "ipv4_secondaries", Some(more).filter(|m| !m.is_empty()));
        let own: Vec<Value> = six.iter().filter(|a| a.interface == *name).map(described6).collect();
        put(&mut fact, "ipv6", Some(own).filter(|o| !o.is_empty()));
        described.push((name.clone(), fact));
    }
    put(facts, "interfaces", Some(described.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()));
    for (name, fact) in described {
        // In a fact's name there are no characters that a variable cannot have.
        facts.insert(name.replace(['-', ':', '.'], "_"), Value::Object(fact));
    }
    let outside = local.iter().filter(|a| !a.is_loopback()).map(Ipv4Addr::to_string).collect::<Vec<_>>();
    put(facts, "all_ipv4_addresses", Some(outside));
    let outside = six.iter().filter(|a| !a.address.is_loopback()).map(|a| a.address.to_string()).collect::<Vec<_>>();
    put(facts, "all_ipv6_addresses", Some(outside));
    put(facts, "default_ipv4", Some(default4));
    let default6 = default6(&look.text("/proc/net/ipv6_route")?.unwrap_or_default(), &six);
    put(facts, "default_ipv6", Some(default6));
    if let Some(text) = look.text("/etc/resolv.conf")? {
        put(facts, "dns", Some(resolver(&text)));
    }
    Ok(())
}

fn interface(look: Look<'_>, name: &str) -> Result<Map<String, Value>, ModuleError> {
    let file = |file: &str| look.line(format!("/sys/class/net/{name}/{file}"));
    let mut fact = Map::new();
    put(&mut fact, "device", Some(name));
    put(&mut fact, "macaddress", file("address")?.filter(|a| !a.is_empty() && a != "00:00:00:00:00:00"));
    put(&mut fact, "mtu", file("mtu")?.and_then(|m| m.parse::<u64>().ok()));
    put(&mut fact, "active", Some(file("operstate")?.is_some_and(|s| s != "down")));
    put(&mut fact, "speed", file("speed")?.and_then(|s| s.parse::<i64>().ok()));
    let kind = match file("type")?.as_deref() {
        Some("1") if look.exists(format!("/sys/class/net/{name}/bridge"))? => "bridge",
        Some("1") if look.exists(format!("/sys/class/net/{name}/bonding"))? => "bonding",
        Some("1") => "ether",
        Some("772") => "loopback",
        Some("512") => "ppp",
        Some("65534") => "tunnel",
        _ => "unknown",
    };
    put(&mut fact, "type", Some(kind));
    Ok(fact)
}

fn routes(text: &str) -> Vec<Route> {
    let hex = |field: &str| u32::from_str_radix(field, 16).ok().map(u32::swap_bytes);
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let f: Vec<&str> = line.split_whitespace().collect();
            let up = u32::from_str_radix(f.get(3)?, 16).ok()? & 1 != 0;
            up.then_some(Route {
                interface: (*f.first()?).to_owned(),
                network: hex(f.get(1)?)?,
                gateway: hex(f.get(2)?)?,
                metric: f.get(6)?.parse().ok()?,
                mask: hex(f.get(7)?)?,
            })
        })
        .collect()
}

/// The addresses of the machine itself: in the kernel's table, those that `host LOCAL` follows.
fn local_addresses(text: &str) -> Vec<Ipv4Addr> {
    let (mut found, mut last) = (Vec::new(), None::<Ipv4Addr>);
    for line in text.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(last);
        }
    }
    rectify_core::small::sort(&mut found);
    found.dedup();
    found
}

/// The address as a fact of this interface, if the narrowest network that it is in is on it.
fn network_of(address: Ipv4Addr, interface: &str, routes: &[Route]) -> Option<Value> {
    let bits = u32::from(address);
    let (mask, name) = if address.is_loopback() {
        (0xff00_0000, "lo")
    } else {
        let fits = routes.iter().filter(|r| r.gateway == 0 && r.mask != 0 && bits & r.mask == r.network);
        let route = fits.max_by_key(|r| r.mask)?;
        (route.mask, route.interface.as_str())
    };
    (name == interface).then(|| {
        json!({
            "address": address.to_string(),
            "netmask": Ipv4Addr::from(mask).to_string(),
            "network": Ipv4Addr::from(bits & mask).to_string(),
            "broadcast": if address.is_loopback() { String::new() } else { Ipv4Addr::from(bits | !mask).to_string() },
            "prefix": mask.count_ones().to_string(),
        })
    })
}

fn default_address(route: &Route, own: &[Value], interface: &Map<String, Value>) -> Map<String, Value> {
    let reaches = |fact: &&Value| {
        let part = |key: &str| fact[key].as_str().and_then(|t| t.parse::<Ipv4Addr>().ok()).map(u32::from);
        part("netmask").zip(part("network")).is_some_and(|(mask, network)| route.gateway & mask == network)
    };
    let mut fact = match own.iter().find(reaches).or(own.first()) {
        Some(Value::Object(address)) => address.clone(),
        _ => Map::new(),
    };
    put(&mut fact, "gateway", Some(Ipv4Addr::from(route.gateway).to_string()));
    put(&mut fact, "interface", Some(route.interface.clone()));
    put(&mut fact, "alias", Some(route.interface.clone()));
    for key in ["macaddress", "mtu", "type"] {
        put(&mut fact, key, interface.get(key).cloned());
    }
    fact
}

fn address6(hex: &str) -> Option<Ipv6Addr> {
    (hex.len() == 32).then(|| u128::from_str_radix(hex, 16).ok()).flatten().map(Ipv6Addr::from)
}

fn addresses6(text: &str) -> Vec<Address6> {
    text.lines()
        .filter_map(|line| {
            let f: Vec<&str> = line.split_whitespace().collect();
            Some(Address6 {
                address: address6(f.first()?)?,
                prefix: u8::from_str_radix(f.get(2)?, 16).ok()?,
                scope: match *f.get(3)? {
                    "00" => "global",
                    "10" => "host",
                    "20" => "link",
                    _ => "site",
                },
                interface: (*f.get(5)?).to_owned(),
            })
        })
        .collect()
}

fn described6(address: &Address6) -> Value {
    json!({ "address": address.address.to_string(), "prefix": address.prefix.to_string(), "scope": address.scope })
}

fn default6(text: &str, own: &[Address6]) -> Map<String, Value> {
    let route = text.lines().filter_map(|line| {
        let f: Vec<&str> = line.split_whitespace().collect();
        let gateway = address6(f.get(4)?)?;
        let metric = u32::from_str_radix(f.get(5)?, 16).ok()?;
        let default = f.first()?.bytes().all(|b| b == b'0') && *f.get(1)? == "00";
        (default && !gateway.is_unspecified()).then(|| (metric, gateway, (*f.get(9).unwrap_or(&"")).to_owned()))
    });
    let mut fact = Map::new();
    let Some((_, gateway, interface)) = route.min_by_key(|(metric, ..)| *metric) else { return fact };
    if let Some(address) = own.iter().find(|a| a.interface == interface && a.scope == "global") {
        put(&mut fact, "address", Some(address.address.to_string()));
        put(&mut fact, "prefix", Some(address.prefix.to_string()));
        put(&mut fact, "scope", Some(address.scope));
    }
    put(&mut fact, "gateway", Some(gateway.to_string()));
    put(&mut fact, "interface", Some(interface));
    fact
}

/// resolv.conf(5).
fn resolver(text: &str) -> Map<String, Value> {
    let mut fact = Map::new();
    let mut servers = Vec::new();
    for line in text.lines().filter(|l| !l.trim_start().starts_with(['#', ';'])) {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => servers.extend(words.next().map(Value::from)),
            Some("domain") => put(&mut fact, "domain", words.next()),
            Some("search") => put(&mut fact, "search", Some(words.collect::<Vec<_>>())),
            Some("options") => {
                let options = words.map(|w| match w.split_once(':') {
                    Some((key, value)) => (key.to_owned(), Value::from(value)),
                    None => (w.to_owned(), true.into()),
                });
                put(&mut fact, "options", Some(options.collect::<Map<_, _>>()));
            }
            _ => {}
        }
    }
    put(&mut fact, "nameservers", Some(servers).filter(|s| !s.is_empty()));
    fact
}
