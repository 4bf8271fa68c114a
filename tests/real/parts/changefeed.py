"""A change feed in the format of the DICOM service, built from Orthanc's /changes.

Runs inside Orthanc (orthanc-python) and serves ``/changefeed/v1``, ``/changefeed/v2`` and ``/latest`` below each.
Sequence numbers are those of Orthanc, which numbers new patients, studies and series too. Therefore the sequence has
gaps, and a page of v1 (a range of sequence numbers) can be empty without being the last.

Orthanc does not record deletions, so the feed contains only creations.
"""

import json
from datetime import datetime, timezone

import orthanc

# For each version: the default and the maximum number of entries per page.
LIMITS = {"v1": (10, 100), "v2": (100, 200)}


def stored_instances():
    """Yields each NewInstance of /changes that is still stored, oldest first."""
    since, done = 0, False
    while not done:
        page = json.loads(orthanc.RestApiGet(f"/changes?since={since}&limit=100"))
        for change in page["Changes"]:
            if change["ChangeType"] == "NewInstance":
                try:
                    tags = json.loads(orthanc.RestApiGet(f"/instances/{change['ID']}/simplified-tags"))
                except orthanc.OrthancException:
                    continue
                yield change, tags
        since, done = page["Last"], page["Done"]


def time_of(change):
    return datetime.strptime(change["Date"], "%Y%m%dT%H%M%S").replace(tzinfo=timezone.utc)


def entry(change, tags, metadata):
    study, series, instance = (tags[f"{level}InstanceUID"] for level in ("Study", "Series", "SOP"))
    result = {
        "sequence": change["Seq"],
        "studyInstanceUid": study,
        "seriesInstanceUid": series,
        "sopInstanceUid": instance,
        "action": "create",
        "timestamp": time_of(change).isoformat(),
        "state": "current",
        "partitionName": "Microsoft.Default",
    }
    if metadata:
        path = f"/dicom-web/studies/{study}/series/{series}/instances/{instance}/metadata"
        result["metadata"] = json.loads(orthanc.RestApiGetAfterPlugins(path))[0]
    return result


def parse_number(query, name, default, minimum, maximum):
    value = int(query.get(name, default))
    if not minimum <= value <= maximum:
        raise ValueError(f"{name} must be between {minimum} and {maximum}")
    return value


def parse_time(query, name):
    if name not in query:
        return None
    value = datetime.fromisoformat(query[name].replace("Z", "+00:00"))
    if value.tzinfo is None:
        raise ValueError(f"{name} needs a time zone")
    return value


def page(version, query):
    default, maximum = LIMITS[version]
    offset = parse_number(query, "offset", 0, 0, 2**63)
    limit = parse_number(query, "limit", default, 1, maximum)
    if version == "v1":
        return [item for item in stored_instances() if offset < item[0]["Seq"] <= offset + limit]
    start, end = parse_time(query, "startTime"), parse_time(query, "endTime")
    selected = [
        item
        for item in stored_instances()
        if (start is None or start <= time_of(item[0])) and (end is None or time_of(item[0]) < end)
    ]
    return selected[offset : offset + limit]


def changefeed(output, uri, **request):
    version, query = request["groups"][0], request["get"]
    metadata = query.get("includemetadata", "true").lower() == "true"
    try:
        if uri.endswith("/latest"):
            entries = [entry(*item, metadata) for item in list(stored_instances())[-1:]]
            if not entries:
                output.SendHttpStatusCode(204)
                return
            response = entries[0]
        else:
            response = [entry(*item, metadata) for item in page(version, query)]
    except ValueError as error:
        output.SendHttpStatus(400, str(error), len(str(error)))
        return
    output.AnswerBuffer(json.dumps(response), "application/json")


orthanc.RegisterRestCallback("/changefeed/(v1|v2)(?:/latest)?", changefeed)
