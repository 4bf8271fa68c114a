"""Runs one test of dicomweb-client against the fake DICOM service: ``dicomweb.py TEST``.

``$FAKE_DICOM_V2`` and ``$FAKE_DICOM_TOKEN`` are the service, ``$DICOM_SAMPLES`` is a folder with sample files of pydicom. A wrong
result is an AssertionError.
"""

import copy
import os
import sys
import warnings

from dicomweb_client.api import DICOMwebClient
from pydicom import dcmread
from pydicom.uid import generate_uid
from requests import HTTPError

EVERY_SYNTAX = (("application/dicom", "*"),)


def connect(token=os.environ["FAKE_DICOM_TOKEN"], **options):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return DICOMwebClient(os.environ["FAKE_DICOM_V2"], headers=headers, **options)


def sample(name):
    return dcmread(f"{os.environ['DICOM_SAMPLES']}/{name}.dcm")


def uids(dataset):
    return dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID


def copies(count, **attributes):
    """Instances of a new study and series that differ from CT_small only in these attributes."""
    study, series = generate_uid(), generate_uid()
    result = []
    for number in range(1, count + 1):
        dataset = copy.deepcopy(sample("CT_small"))
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID = study, series, generate_uid()
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.InstanceNumber = number
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
        result.append(dataset)
    return result


def equal(actual, expected, what=""):
    assert actual == expected, f"{what}: {actual!r} instead of {expected!r}"


def rejected(status, action):
    try:
        action()
    except HTTPError as error:
        equal(error.response.status_code, status, error)
        return error.response
    raise AssertionError(f"no error instead of status {status}")


def values(results, tag):
    return sorted(result[tag]["Value"][0] for result in results)


def test_search():
    client = connect()
    ct, mr = sample("CT_small"), sample("MR_small")
    many = copies(3, PatientID="many", StudyDate="20200229", Modality="OT")
    client.store_instances([ct, mr])
    client.store_instances(many)

    studies = client.search_for_studies()
    equal(values(studies, "0020000D"), sorted([uids(ct)[0], uids(mr)[0], uids(many[0])[0]]), "studies")
    found = client.search_for_studies(search_filters={"PatientID": ct.PatientID})
    equal(values(found, "0020000D"), [uids(ct)[0]], "studies of a patient")
    equal(found[0]["00100010"]["Value"][0]["Alphabetic"], str(ct.PatientName), "name of the patient")
    found = client.search_for_studies(search_filters={"StudyDate": "20200201-20200301"})
    equal(values(found, "00100020"), ["many"], "studies in a range of dates")
    equal(client.search_for_studies(search_filters={"PatientID": "nobody"}), [], "studies of nobody")

    pages = [client.search_for_studies(limit=2), client.search_for_studies(limit=2, offset=2)]
    equal([len(page) for page in pages], [2, 1], "sizes of pages")
    equal(values(sum(pages, []), "0020000D"), values(studies, "0020000D"), "pages together")
    equal(client.search_for_studies(limit=2, offset=3), [], "page after the last")
    found = client.search_for_instances(uids(many[0])[0], limit=1, get_remaining=True)
    equal(values(found, "00080018"), sorted(uids(one)[2] for one in many), "instances, one page each")

    found = client.search_for_series(search_filters={"Modality": "MR"})
    equal(values(found, "0020000E"), [uids(mr)[1]], "series of a modality")
    equal(values(client.search_for_series(uids(ct)[0]), "0020000E"), [uids(ct)[1]], "series of a study")
    equal(values(client.search_for_instances(*uids(mr)[:2]), "00080018"), [uids(mr)[2]], "instances of a series")
    equal(len(client.search_for_instances()), 5, "all instances")
    [found] = client.search_for_instances(*uids(ct)[:2], fields=["Rows"])
    equal(found["00280010"]["Value"], [ct.Rows], "included field")
    rejected(400, lambda: client.search_for_studies(limit=201))


def test_retrieve():
    client = connect()
    stored = copies(3)
    frames = [bytes([number]) * len(stored[0].PixelData) for number in (1, 2, 3)]
    stored[1].NumberOfFrames, stored[1].PixelData = 3, b"".join(frames)
    client.store_instances(stored)
    study, series, _ = uids(stored[0])

    # Several instances are available only in their own transfer syntax.
    rejected(406, lambda: client.retrieve_study(study))
    for what, retrieved in {
        "study": client.retrieve_study(study, media_types=EVERY_SYNTAX),
        "study, streamed": client.iter_study(study, media_types=EVERY_SYNTAX),
        "series": client.retrieve_series(study, series, media_types=EVERY_SYNTAX),
        "instances": [client.retrieve_instance(*uids(one)) for one in stored],
    }.items():
        retrieved = {one.SOPInstanceUID: one for one in retrieved}
        equal(sorted(retrieved), sorted(uids(one)[2] for one in stored), what)
        for one in stored:
            equal(retrieved[one.SOPInstanceUID], one, what)

    for what, metadata in {
        "study": client.retrieve_study_metadata(study),
        "series": client.retrieve_series_metadata(study, series),
        "instance": [client.retrieve_instance_metadata(*uids(one)) for one in stored],
    }.items():
        metadata = [one[0] if isinstance(one, list) else one for one in metadata]
        equal(values(metadata, "00080018"), sorted(uids(one)[2] for one in stored), f"metadata of the {what}")
        equal([one["00280010"]["Value"] for one in metadata], [[128]] * 3, "rows")
        assert not any("7FE00010" in one for one in metadata), "the metadata contains pixel data"

    octets = ("application/octet-stream",)
    equal(client.retrieve_instance_frames(*uids(stored[1]), frame_numbers=[3, 1], media_types=octets), [frames[2], frames[0]])
    [whole] = client.retrieve_instance_frames(*uids(stored[0]), frame_numbers=[1], media_types=octets)
    equal(whole, stored[0].PixelData)
    rejected(404, lambda: client.retrieve_instance_frames(*uids(stored[0]), frame_numbers=[2], media_types=octets))

    compressed = sample("JPEG2000")
    client.store_instances([compressed])
    retrieved = client.retrieve_instance(*uids(compressed), media_types=EVERY_SYNTAX)
    equal(retrieved.file_meta.TransferSyntaxUID, compressed.file_meta.TransferSyntaxUID, "transfer syntax")
    equal(retrieved.PixelData, compressed.PixelData, "compressed pixels")


def test_store():
    # Chunks of 10 kB, so that the request has no Content-Length.
    client = connect(chunk_size=10_000)
    first, second = copies(2)
    client.store_instances([first], study_instance_uid=uids(first)[0])
    equal(len(client.search_for_instances(uids(first)[0])), 1, "after the first request")

    response = rejected(409, lambda: client.store_instances([first]))
    [failure] = response.json()["00081198"]["Value"]
    equal(failure["00081155"]["Value"], [uids(first)[2]], "failed instance")
    equal(failure["00081197"]["Value"], [45070], "reason")

    # The client does not read the body, because its content type has a charset. The status is 202, which is no error.
    client.store_instances([first, second])
    equal(len(client.search_for_instances(uids(first)[0])), 2, "after the third request")

    [other] = copies(1)
    response = rejected(409, lambda: client.store_instances([other], study_instance_uid=uids(first)[0]))
    equal(response.json()["00081198"]["Value"][0]["00081197"]["Value"], [43265], "reason for another study")


def test_delete():
    client = connect()
    stored, other = copies(3), copies(1)
    client.store_instances(stored + other)
    study, series, instance = uids(stored[0])

    client.delete_instance(study, series, instance)
    rejected(404, lambda: client.retrieve_instance(study, series, instance))
    rejected(404, lambda: client.delete_instance(study, series, instance))
    equal(len(client.search_for_instances(study, series)), 2, "remaining instances")
    client.delete_series(study, series)
    rejected(404, lambda: client.retrieve_series_metadata(study, series))
    client.delete_study(uids(other[0])[0])
    equal(client.search_for_studies(), [], "remaining studies")

    response = rejected(401, connect(token=None).search_for_studies)
    assert response.headers["WWW-Authenticate"].startswith("Bearer"), response.headers
    rejected(401, connect(token=os.environ["FAKE_FHIR_TOKEN"]).search_for_studies)


warnings.filterwarnings("ignore")
globals()[f"test_{sys.argv[1]}"]()
