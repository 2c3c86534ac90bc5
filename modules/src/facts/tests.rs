use serde_json::json;

use super::*;
use crate::host::fake::Fake;

fn facts(yaml: &str) -> Facts {
    gather(&Fake::from_yaml(yaml).unwrap()).unwrap()
}

#[test]
fn distributions_have_ansibles_names() {
    let debian = facts("base: debian");
    for (name, value) in [
        ("distribution", "Debian"),
        ("distribution_version", "12.7"),
        ("distribution_major_version", "12"),
        ("distribution_release", "bookworm"),
        ("os_family", "Debian"),
        ("pkg_mgr", "apt"),
        ("service_mgr", "systemd"),
        ("hostname", "web1"),
        ("user_id", "root"),
        ("user_dir", "/root"),
        ("system", "Linux"),
    ] {
        assert_eq!(debian.get(name), Some(&json!(value)), "{name}");
    }
    let rocky = facts("base: rocky");
    assert_eq!((rocky["distribution"].as_str(), rocky["os_family"].as_str()), (Some("Rocky"), Some("RedHat")));
    assert_eq!(rocky["pkg_mgr"], "dnf");
    let release = |text: &str| facts(&serde_json::to_string(&json!({"files": {"/etc/os-release": text}})).unwrap());
    let rhel = release("ID=\"rhel\"\nVERSION_ID=\"9.4\"\nVERSION=\"9.4 (Plow)\"\nNAME=\"Red Hat Enterprise Linux\"\n");
    assert_eq!((&rhel["distribution"], &rhel["distribution_release"]), (&json!("RedHat"), &json!("Plow")));
    let own = release("ID=mine\nID_LIKE=\"ubuntu debian\"\nNAME=Mine\nVERSION_ID=3\n");
    assert_eq!((&own["distribution"], &own["os_family"]), (&json!("Mine"), &json!("Debian")));
}

#[test]
fn what_the_host_does_not_say_is_left_out() {
    let nothing = facts("{}");
    for name in ["distribution", "memtotal_mb", "processor_vcpus", "hostname", "mounts", "kernel", "python"] {
        assert!(!nothing.contains_key(name), "{name}");
    }
    assert_eq!((&nothing["selinux"]["status"], &nothing["virtualization_type"]), (&json!("disabled"), &json!("NA")));
}

#[test]
fn addresses_belong_to_the_interface_whose_network_they_are_in() {
    let net = facts(
        r##"{files: {
          /sys/class/net/eth0/ifindex: "2", /sys/class/net/eth0/address: "52:54:00:aa:bb:cc\n",
          /sys/class/net/eth0/mtu: "1500\n", /sys/class/net/eth0/type: "1\n", /sys/class/net/eth0/operstate: "up\n",
          /sys/class/net/lo/ifindex: "1", /sys/class/net/lo/type: "772\n",
          /proc/net/route: "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\neth0\t00000000\t0102000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\neth0\t0002000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n",
          /proc/net/fib_trie: "Local:\n  |-- 10.0.2.0\n     /24 link UNICAST\n  |-- 10.0.2.15\n     /32 host LOCAL\n  |-- 127.0.0.1\n     /32 host LOCAL\n",
          /proc/net/if_inet6: "20010db8000000000000000000000005 02 40 00 80 eth0\n00000000000000000000000000000001 01 80 10 80 lo\n",
          /etc/resolv.conf: "# x\nnameserver 9.9.9.9\nsearch a.example b.example\noptions rotate ndots:2\n"}}"##,
    );
    assert_eq!(
        net["default_ipv4"],
        json!({"address": "10.0.2.15", "netmask": "255.255.255.0", "network": "10.0.2.0", "broadcast": "10.0.2.255",
            "prefix": "24", "gateway": "10.0.2.1", "interface": "eth0", "alias": "eth0", "macaddress": "52:54:00:aa:bb:cc",
            "mtu": 1500, "type": "ether"})
    );
    assert_eq!((&net["interfaces"], &net["all_ipv4_addresses"]), (&json!(["eth0", "lo"]), &json!(["10.0.2.15"])));
    assert_eq!(
        (&net["lo"]["ipv4"]["address"], &net["eth0"]["ipv6"][0]["address"]),
        (&json!("127.0.0.1"), &json!("2001:db8::5"))
    );
    assert_eq!(
        net["dns"],
        json!({"nameservers": ["9.9.9.9"], "search": ["a.example", "b.example"], "options": {"rotate": true, "ndots": "2"}})
    );
}

#[test]
fn hardware_is_counted() {
    let hardware = facts(
        r##"{files: {
          /proc/cpuinfo: "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: X\nphysical id\t: 0\nsiblings\t: 4\ncpu cores\t: 2\n\nprocessor\t: 1\nphysical id\t: 0\nsiblings\t: 4\ncpu cores\t: 2\n",
          /proc/meminfo: "MemTotal:  2048000 kB\nMemFree: 1024000 kB\nSwapTotal: 0 kB\n",
          /proc/uptime: "12345.67 99\n", /sys/class/dmi/id/sys_vendor: "QEMU\n", /sys/class/dmi/id/chassis_type: "1\n",
          /proc/self/mounts: "/dev/sda1 / ext4 rw,relatime 0 0\nproc /proc proc rw 0 0\nnas:/x /mnt/a\\040b nfs ro 0 0\n",
          /dev/disk/by-uuid/1-2: {link: ../../sda1}}}"##,
    );
    for (name, value) in [
        ("processor_count", 1),
        ("processor_cores", 2),
        ("processor_vcpus", 4),
        ("processor_nproc", 2),
        ("memtotal_mb", 2000),
        ("memfree_mb", 1000),
        ("uptime_seconds", 12345),
    ] {
        assert_eq!(hardware[name], value, "{name}");
    }
    assert_eq!((&hardware["system_vendor"], &hardware["virtualization_type"]), (&json!("QEMU"), &json!("kvm")));
    let mounts = hardware["mounts"].as_array().unwrap();
    assert_eq!((mounts.len(), &mounts[0]["uuid"], &mounts[1]["mount"]), (2, &json!("1-2"), &json!("/mnt/a b")));
}

#[test]
fn containers_are_guests_before_machines_are() {
    let kind = |yaml: &str| facts(yaml)["virtualization_type"].as_str().unwrap().to_owned();
    assert_eq!(kind("files: {/.dockerenv: '', /sys/class/dmi/id/product_name: KVM}"), "docker");
    assert_eq!(kind("files: {/run/.containerenv: ''}"), "podman");
    assert_eq!(kind("files: {/run/systemd/container: lxc}"), "lxc");
    let host = facts("files: {/proc/modules: \"kvm 1 0 - Live\\n\"}");
    assert_eq!((&host["virtualization_type"], &host["virtualization_role"]), (&json!("kvm"), &json!("host")));
}

#[test]
fn local_facts_are_read_and_programs_are_not_run() {
    let facts = facts(
        "files: {/etc/ansible/facts.d/a.fact: '{\"x\": [1]}', /etc/ansible/facts.d/b.fact: \"[Main]\\nKey = v\\n\", \
         /etc/ansible/facts.d/c.fact: {content: '#!/bin/sh', mode: '0755'}, /etc/ansible/facts.d/d.txt: x}",
    );
    assert_eq!(facts["local"], json!({"a": {"x": [1]}, "b": {"Main": {"key": "v"}}}));
}

#[test]
fn a_full_name_comes_from_the_hosts_file() {
    let named = facts("files: {/etc/hostname: \"web1\\n\", /etc/hosts: \"10.0.0.1 web1.example.org web1 # me\\n\"}");
    assert_eq!(
        (&named["fqdn"], &named["domain"], &named["hostname"]),
        (&json!("web1.example.org"), &json!("example.org"), &json!("web1"))
    );
}

#[test]
fn dates_are_consistent() {
    let time = facts("base: debian")["date_time"].clone();
    assert_eq!((&time["tz"], &time["tz_offset"]), (&json!("UTC"), &json!("+0000")));
    let date = format!(
        "{}-{}-{}",
        time["year"].as_str().unwrap(),
        time["month"].as_str().unwrap(),
        time["day"].as_str().unwrap()
    );
    assert_eq!(time["date"], date.as_str());
    assert!(time["epoch"].as_str().unwrap().parse::<i64>().unwrap() > 1_700_000_000);
}

#[test]
fn parts_are_chosen() {
    let chosen = |words: &[&str]| Part::chosen(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
    assert_eq!(chosen(&[]), Ok(Part::ALL.to_vec()));
    assert_eq!(chosen(&["all"]), Ok(Part::ALL.to_vec()));
    assert_eq!(chosen(&["!all"]), Ok(vec![Part::Min]));
    assert_eq!(chosen(&["min"]), Ok(vec![Part::Min]));
    assert_eq!(chosen(&["!all", "network"]), Ok(vec![Part::Min, Part::Network]));
    assert_eq!(chosen(&["!all", "!min", "virtual"]), Ok(vec![Part::Virtual]));
    assert_eq!(chosen(&["all", "!hardware"]), Ok(vec![Part::Min, Part::Network, Part::Virtual]));
    assert_eq!(chosen(&["!hardware", "!facter"]), Ok(vec![Part::Min, Part::Network, Part::Virtual]));
    assert!(chosen(&["hardwar"]).unwrap_err().contains("hardwar"));
}

#[test]
fn this_machine_has_the_facts_that_every_linux_has() {
    let live = crate::host::live::Live::new(crate::host::live::Blobs::new());
    let facts = gather(&live).unwrap();
    for name in [
        "kernel",
        "architecture",
        "hostname",
        "memtotal_mb",
        "processor_vcpus",
        "uptime_seconds",
        "interfaces",
        "user_uid",
    ] {
        assert!(facts.contains_key(name), "{name}");
    }
    assert_eq!(facts["machine"], std::env::consts::ARCH);
    assert!(facts["env"]["PATH"].is_string(), "the helper's own environment");
}
