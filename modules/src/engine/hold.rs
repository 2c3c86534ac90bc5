//! Whether the host's own operators hold it: see [`rectify_core::hold`].

use std::path::Path;

use rectify_core::{
    hold::{HOLD, HOLD_LIMIT, Hold, read_hold},
    module::{FileKind, Finding, HostError, Meta, Observe, Severity},
};

use crate::kind::shared::{
    attrs::user_name,
    clock::{self, SECOND},
};

/// The hold that is in force, and what is wrong with its file.
pub(super) fn look(host: &dyn Observe) -> (Option<Hold>, Option<Finding>) {
    let (hold, remark) = match found(host, clock::now()) {
        Ok(found) => found,
        Err(error) => (None, Some(format!("it does not count: {error}"))),
    };
    let finding = |message| Finding { severity: Severity::Warning, subject: HOLD.into(), message };
    (hold, remark.map(finding))
}

type Found = (Option<Hold>, Option<String>);

fn found(host: &dyn Observe, now: i64) -> Result<Found, HostError> {
    let path = Path::new(HOLD);
    let Some(meta) = host.lstat(path)? else { return Ok((None, None)) };
    let folder = path.parent().unwrap_or(path);
    let above = host.lstat(folder)?;
    let problem = match &above {
        Some(above) if above.kind != FileKind::Directory => Some(format!("{} is no folder", folder.display())),
        Some(above) => others_may_write(folder, above, host)?,
        None => None,
    };
    let problem = match problem {
        None if meta.kind != FileKind::File => Some("it is no regular file".to_owned()),
        None => others_may_write(path, &meta, host)?,
        some => some,
    };
    if let Some(problem) = problem {
        return Ok((None, Some(format!("it does not count: {problem}"))));
    }
    let Some(bytes) = host.read(path, HOLD_LIMIT)? else { return Ok((None, None)) };
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Ok((None, Some("it does not count: it is not UTF-8".into())));
    };
    Ok(read_hold(text, &user_name(meta.uid, host)?, meta.mtime / SECOND, now))
}

/// Why a hold at this place could be anybody's: only root may say so.
fn others_may_write(path: &Path, meta: &Meta, host: &dyn Observe) -> Result<Option<String>, HostError> {
    let path = path.display();
    if meta.uid != 0 {
        return Ok(Some(format!("{path} belongs to {}, and only root may hold a host", user_name(meta.uid, host)?)));
    }
    let open = meta.mode & 0o022 != 0;
    Ok(open.then(|| format!("others than root may write {path} (mode {:04o})", meta.mode)))
}
