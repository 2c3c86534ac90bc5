//! `date_time`, in the host's time zone as tzfile(5) has it.

use rectify_core::module::ModuleError;
use serde_json::json;

use super::{Facts, Look, lenient};
use crate::kind::shared::clock;

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

pub(super) fn gather(look: Look<'_>, facts: &mut Facts) -> Result<(), ModuleError> {
    let zone = lenient(look.0.read("/etc/localtime".as_ref(), 1 << 20))?.flatten();
    let now = clock::now();
    let (offset, name) = zone.and_then(|bytes| zone_at(&bytes, now)).unwrap_or((0, "UTC".into()));
    let (utc, local) = (clock::stamp(now), clock::stamp(now + offset));
    let (date, time) = local.split_once('@').unwrap_or_default();
    let part = |text: &str, at: usize| text.split(['-', ':']).nth(at).unwrap_or_default().to_owned();
    let days = (now + offset).div_euclid(86_400);
    let weekday = usize::try_from((days + 4).rem_euclid(7)).unwrap_or(0);
    let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
    // strftime(3)'s %W: weeks begin on Monday, and the days before the first one are week 0.
    let week = (day_of_year(date) + 7 - (days + 3).rem_euclid(7)) / 7;
    facts.insert(
        "date_time".into(),
        json!({
            "year": part(date, 0), "month": part(date, 1), "day": part(date, 2),
            "hour": part(time, 0), "minute": part(time, 1), "second": part(time, 2),
            "date": date, "time": time,
            "weekday": DAYS[weekday], "weekday_number": weekday.to_string(),
            "weeknumber": format!("{week:02}"),
            "epoch": now.to_string(), "epoch_int": now.to_string(),
            "iso8601": format!("{}Z", utc.replace('@', "T")),
            "iso8601_micro": format!("{}.000000Z", utc.replace('@', "T")),
            "iso8601_basic": format!("{}000000", local.replace(['-', ':'], "").replace('@', "T")),
            "iso8601_basic_short": local.replace(['-', ':'], "").replace('@', "T"),
            "tz": name, "tz_dst": name,
            "tz_offset": format!("{sign}{:02}{:02}", minutes / 60, minutes % 60),
        }),
    );
    Ok(())
}

/// Days since the first of January.
fn day_of_year(date: &str) -> i64 {
    let mut parts = date.split('-').filter_map(|p| p.parse::<i64>().ok());
    let (year, month, day) = (parts.next().unwrap_or(1970), parts.next().unwrap_or(1), parts.next().unwrap_or(1));
    let leap = i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let index = usize::try_from(month - 1).unwrap_or(0).min(11);
    before[index] + if month > 2 { leap } else { 0 } + day - 1
}

/// Offset in seconds and abbreviation of a zone at a time, from the table in its file; `None` if the table does not say.
fn zone_at(bytes: &[u8], now: i64) -> Option<(i64, String)> {
    let header = |at: usize| -> Option<[usize; 6]> {
        if bytes.get(at..at + 4)? != b"TZif" {
            return None;
        }
        let mut counts = [0; 6];
        for (i, count) in counts.iter_mut().enumerate() {
            let from = at + 20 + i * 4;
            *count = u32::from_be_bytes(bytes.get(from..from + 4)?.try_into().ok()?) as usize;
        }
        Some(counts)
    };
    let size = |[utc, std, leap, times, types, chars]: [usize; 6], wide: usize| {
        times * (wide + 1) + types * 6 + chars + leap * (wide + 4) + std + utc
    };
    let first = header(0)?;
    let (at, wide) = if *bytes.get(4)? >= b'2' { (44 + size(first, 4), 8) } else { (0, 4) };
    let [.., times, types, chars] = header(at)?;
    let data = at + 44;
    let time = |i: usize| -> Option<i64> {
        let raw = bytes.get(data + i * wide..data + (i + 1) * wide)?;
        Some(match wide {
            8 => i64::from_be_bytes(raw.try_into().ok()?),
            _ => i64::from(i32::from_be_bytes(raw.try_into().ok()?)),
        })
    };
    let mut chosen = 0;
    let footer = bytes.get(data + size([0, 0, 0, times, types, chars], wide)..)?;
    if times > 0 && now >= time(times - 1)? && footer.contains(&b',') {
        // Only a rule at the file's end says what holds now: better UTC than an hour off.
        return None;
    }
    for i in 0..times {
        if time(i)? > now {
            break;
        }
        chosen = usize::from(*bytes.get(data + times * wide + i)?);
    }
    let kinds = data + times * (wide + 1);
    let kind = bytes.get(kinds + chosen * 6..kinds + chosen * 6 + 6)?;
    let offset = i64::from(i32::from_be_bytes(kind[..4].try_into().ok()?));
    let names = bytes.get(kinds + types * 6..kinds + types * 6 + chars)?;
    let name = names.get(usize::from(kind[5])..)?.split(|b| *b == 0).next()?;
    Some((offset, String::from_utf8_lossy(name).into_owned()))
}
