"""A change feed in the shape of the DICOM service's, read from Orthanc's own /changes.

Runs inside Orthanc (orthanc-python) and serves ``/changefeed/v1``, ``/changefeed/v2`` and ``/latest`` below each.
An entry's sequence is Orthanc's, and Orthanc numbers new patients, studies and series too: the sequence has gaps,
so that a page of v1 (a range of sequences) can be empty without being the last.

Orthanc keeps no record of what it deleted: the feed has creations only.
"""

import json
from datetime import datetime, timezone

import orthanc

# Per version: entries of a page when no limit is asked for, and the most that may be asked for.
LIMITS = {"v1": (10, 100), "v2": (100, 200)}


def stored_instances():
    """Every NewInstance of /changes that is still stored, oldest first."""
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
    made = {
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
        made["metadata"] = json.loads(orthanc.RestApiGetAfterPlugins(path))[0]
    return made


def number(query, name, default, least, most):
    value = int(query.get(name, default))
    if not least <= value <= most:
        raise ValueError(f"{name} must be between {least} and {most}")
    return value


def moment(query, name):
    if name not in query:
        return None
    value = datetime.fromisoformat(query[name].replace("Z", "+00:00"))
    if value.tzinfo is None:
        raise ValueError(f"{name} needs a time zone")
    return value


def page(version, query):
    usual, most = LIMITS[version]
    offset = number(query, "offset", 0, 0, 2**63)
    limit = number(query, "limit", usual, 1, most)
    if version == "v1":
        return [found for found in stored_instances() if offset < found[0]["Seq"] <= offset + limit]
    start, end = moment(query, "startTime"), moment(query, "endTime")
    between = [
        found
        for found in stored_instances()
        if (start is None or start <= time_of(found[0])) and (end is None or time_of(found[0]) < end)
    ]
    return between[offset : offset + limit]


def changefeed(output, uri, **request):
    version, query = request["groups"][0], request["get"]
    metadata = query.get("includemetadata", "true").lower() == "true"
    try:
        if uri.endswith("/latest"):
            entries = [entry(*found, metadata) for found in list(stored_instances())[-1:]]
            if not entries:
                output.SendHttpStatusCode(204)
                return
            answer = entries[0]
        else:
            answer = [entry(*found, metadata) for found in page(version, query)]
    except ValueError as error:
        output.SendHttpStatus(400, str(error), len(str(error)))
        return
    output.AnswerBuffer(json.dumps(answer), "application/json")


orthanc.RegisterRestCallback("/changefeed/(v1|v2)(?:/latest)?", changefeed)
