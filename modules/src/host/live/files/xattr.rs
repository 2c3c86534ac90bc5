//! What a file that is replaced hands on to its successor: SELinux labels, access control lists, user attributes.

use std::{ffi::CStr, os::fd::OwnedFd};

use rustix::{
    fs::{self, XattrFlags},
    io::Errno,
};

use super::look::proc_path;

const ACCESS_LIST: &[u8] = b"system.posix_acl_access";

/// Attributes that belong to the old content: capabilities, which the kernel itself drops when a file is written, and
/// signatures over the bytes.
const OF_THE_CONTENT: [&[u8]; 3] = [b"security.capability", b"security.ima", b"security.evm"];

/// The largest attribute that Linux knows (xattr(7)).
const LARGEST: usize = 65_536;

/// Copies the attributes of `old` (an `O_PATH` handle) to the file `new`. An access list that `new` got from its folder
/// goes if `old` had none.
pub(super) fn hand_on(old: &OwnedFd, new: &OwnedFd) -> Result<(), Errno> {
    let source = proc_path(old);
    let mut names = vec![0u8; LARGEST];
    let used = match fs::listxattr(&source, names.as_mut_slice()) {
        Ok(used) => used,
        // No attributes on this file system, or no /proc to ask through.
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::NOENT) => return Ok(()),
        Err(e) => return Err(e),
    };
    names.truncate(used);
    let mut had_list = false;
    let mut value = vec![0u8; LARGEST];
    for name in names.split_inclusive(|b| *b == 0).filter_map(|n| CStr::from_bytes_with_nul(n).ok()) {
        if OF_THE_CONTENT.contains(&name.to_bytes()) {
            continue;
        }
        had_list |= name.to_bytes() == ACCESS_LIST;
        let length = match fs::getxattr(&source, name, value.as_mut_slice()) {
            Ok(length) => length,
            // Gone meanwhile, or not for our eyes (`trusted.` without the right, `user.` without read permission).
            Err(Errno::NODATA | Errno::ACCESS | Errno::PERM | Errno::OPNOTSUPP) => continue,
            Err(e) => return Err(e),
        };
        match fs::fsetxattr(new, name, &value[..length], XattrFlags::empty()) {
            Ok(()) => {}
            // What only the system may set is set by the system (a label by policy). An access list must not get lost.
            Err(Errno::PERM | Errno::ACCESS | Errno::OPNOTSUPP) if name.to_bytes() != ACCESS_LIST => {}
            Err(e) => return Err(e),
        }
    }
    if !had_list {
        match fs::fremovexattr(new, ACCESS_LIST) {
            Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOSYS) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
