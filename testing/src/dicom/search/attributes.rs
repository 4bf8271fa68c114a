//! The attributes that searches can use and return.

use dicom_core::Tag;
use dicom_dictionary_std::tags;

/// A level of the DICOM information model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Study,
    Series,
    Instance,
}

const LEVELS: [Level; 3] = [Level::Study, Level::Series, Level::Instance];

impl Level {
    /// Returns the levels from this one to another.
    pub(super) fn to(self, last: Self) -> impl Iterator<Item = Self> {
        LEVELS.into_iter().filter(move |level| self <= *level && *level <= last)
    }

    /// Returns the level of the results below a path with this number of UIDs, or above it.
    pub(super) fn below(uids: usize) -> Self {
        LEVELS.get(uids).copied().unwrap_or(Self::Instance)
    }

    /// Returns the number of UIDs that identify something at this level.
    pub(super) fn uid_count(self) -> usize {
        match self {
            Self::Study => 1,
            Self::Series => 2,
            Self::Instance => 3,
        }
    }

    /// Returns the attributes that a search can use (`dicom-server QueryLimit.cs`).
    pub(super) fn searchable(self) -> &'static [Tag] {
        match self {
            Self::Study => &[
                tags::STUDY_DATE,
                tags::STUDY_INSTANCE_UID,
                tags::STUDY_DESCRIPTION,
                tags::ACCESSION_NUMBER,
                tags::PATIENT_ID,
                tags::PATIENT_NAME,
                tags::REFERRING_PHYSICIAN_NAME,
                tags::PATIENT_BIRTH_DATE,
                tags::MODALITIES_IN_STUDY,
            ],
            Self::Series => &[
                tags::SERIES_INSTANCE_UID,
                tags::MODALITY,
                tags::PERFORMED_PROCEDURE_STEP_START_DATE,
                tags::MANUFACTURER_MODEL_NAME,
            ],
            Self::Instance => &[tags::SOP_INSTANCE_UID],
        }
    }

    /// Returns the attributes in a result by default (`dicom-server QueryResponseBuilder.cs`).
    pub(super) fn default_attributes(self, version: u8) -> &'static [Tag] {
        match (self, version) {
            (Self::Study, 1) => STUDY_V1,
            (Self::Study, _) => STUDY_V2,
            (Self::Series, 1) => SERIES_V1,
            (Self::Series, _) => SERIES_V2,
            (Self::Instance, 1) => INSTANCE_V1,
            (Self::Instance, _) => &[tags::SOP_INSTANCE_UID],
        }
    }

    /// Returns the attributes in a result with `includefield=all` (`dicom-server QueryResponseBuilder.cs`).
    pub(super) fn all_attributes(self) -> impl Iterator<Item = Tag> {
        let further: &[Tag] = match self {
            Self::Study => &[
                tags::STUDY_DESCRIPTION,
                tags::ANATOMIC_REGIONS_IN_STUDY_CODE_SEQUENCE,
                tags::PROCEDURE_CODE_SEQUENCE,
                tags::NAME_OF_PHYSICIANS_READING_STUDY,
                tags::ADMITTING_DIAGNOSES_DESCRIPTION,
                tags::REFERENCED_STUDY_SEQUENCE,
                tags::PATIENT_AGE,
                tags::PATIENT_SIZE,
                tags::PATIENT_WEIGHT,
                tags::OCCUPATION,
                tags::ADDITIONAL_PATIENT_HISTORY,
            ],
            Self::Series => &[
                tags::MANUFACTURER_MODEL_NAME,
                tags::SERIES_NUMBER,
                tags::LATERALITY,
                tags::SERIES_DATE,
                tags::SERIES_TIME,
            ],
            Self::Instance => &[],
        };
        self.default_attributes(1).iter().chain(further).copied()
    }

    /// Returns the level whose newest instance has the value of an attribute in a result at this level.
    pub(super) fn source_of(self, tag: Tag) -> Self {
        let has = |level: &Self| {
            level.searchable().contains(&tag) || level.all_attributes().any(|other| other == tag)
        };
        Self::Study.to(self).find(has).unwrap_or(self)
    }
}

/// Returns the level at which a search can use an attribute.
pub(super) fn level_of(tag: Tag) -> Option<Level> {
    LEVELS.into_iter().find(|level| level.searchable().contains(&tag))
}

const STUDY_V1: &[Tag] = &[
    tags::SPECIFIC_CHARACTER_SET,
    tags::STUDY_DATE,
    tags::STUDY_TIME,
    tags::ACCESSION_NUMBER,
    tags::INSTANCE_AVAILABILITY,
    tags::REFERRING_PHYSICIAN_NAME,
    tags::TIMEZONE_OFFSET_FROM_UTC,
    tags::PATIENT_NAME,
    tags::PATIENT_ID,
    tags::PATIENT_BIRTH_DATE,
    tags::PATIENT_SEX,
    tags::STUDY_INSTANCE_UID,
    tags::STUDY_ID,
];
const STUDY_V2: &[Tag] = &[
    tags::STUDY_INSTANCE_UID,
    tags::STUDY_DATE,
    tags::STUDY_DESCRIPTION,
    tags::ACCESSION_NUMBER,
    tags::REFERRING_PHYSICIAN_NAME,
    tags::PATIENT_NAME,
    tags::PATIENT_ID,
    tags::PATIENT_BIRTH_DATE,
];
const SERIES_V1: &[Tag] = &[
    tags::SPECIFIC_CHARACTER_SET,
    tags::MODALITY,
    tags::TIMEZONE_OFFSET_FROM_UTC,
    tags::SERIES_DESCRIPTION,
    tags::SERIES_INSTANCE_UID,
    tags::PERFORMED_PROCEDURE_STEP_START_DATE,
    tags::PERFORMED_PROCEDURE_STEP_START_TIME,
    tags::REQUEST_ATTRIBUTES_SEQUENCE,
];
const SERIES_V2: &[Tag] = &[
    tags::SERIES_INSTANCE_UID,
    tags::MODALITY,
    tags::PERFORMED_PROCEDURE_STEP_START_DATE,
    tags::MANUFACTURER_MODEL_NAME,
];
const INSTANCE_V1: &[Tag] = &[
    tags::SPECIFIC_CHARACTER_SET,
    tags::SOP_CLASS_UID,
    tags::SOP_INSTANCE_UID,
    tags::INSTANCE_AVAILABILITY,
    tags::TIMEZONE_OFFSET_FROM_UTC,
    tags::INSTANCE_NUMBER,
    tags::ROWS,
    tags::COLUMNS,
    tags::BITS_ALLOCATED,
    tags::NUMBER_OF_FRAMES,
];
