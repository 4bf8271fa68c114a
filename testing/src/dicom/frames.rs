//! Splits the pixel data of an instance into frames (PS3.5 §8).

use bytes::Bytes;
use dicom_core::{Tag, value::Value};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

/// Returns the frames of an instance, or `None` if it has none that can be separated.
pub(super) fn split(data_set: &InMemDicomObject) -> Option<Vec<Bytes>> {
    let pixels = data_set.get(tags::PIXEL_DATA)?;
    let number = |tag: Tag| data_set.get(tag).and_then(|element| element.to_int::<usize>().ok());
    let count = number(tags::NUMBER_OF_FRAMES).unwrap_or(1).max(1);
    match pixels.value() {
        Value::PixelSequence(sequence) => {
            let fragments: Vec<&[u8]> = sequence.fragments().iter().map(|fragment| &fragment[..]).collect();
            encapsulated(&fragments, sequence.offset_table(), count)
        }
        value => {
            let bits = number(tags::ROWS)?
                .checked_mul(number(tags::COLUMNS)?)?
                .checked_mul(number(tags::SAMPLES_PER_PIXEL).unwrap_or(1))?
                .checked_mul(number(tags::BITS_ALLOCATED)?)?;
            let length = bits.div_ceil(8);
            let pixels = Bytes::from(value.to_bytes().ok()?.into_owned());
            let frame = |index: usize| {
                let start = index.checked_mul(length)?;
                let end = start.checked_add(length)?;
                (length > 0 && end <= pixels.len()).then(|| pixels.slice(start..end))
            };
            (0..count.min(pixels.len())).map(frame).collect()
        }
    }
}

/// Assigns compressed fragments to frames: one each, all to one frame, or as the offset table says.
fn encapsulated(fragments: &[&[u8]], offsets: &[u32], count: usize) -> Option<Vec<Bytes>> {
    if fragments.len() == count {
        return Some(fragments.iter().map(|fragment| Bytes::copy_from_slice(fragment)).collect());
    }
    if count == 1 {
        return Some(vec![fragments.concat().into()]);
    }
    // Without an offset per frame, the frames are unknown. The count can be any number, so check it before allocating.
    if offsets.len() != count {
        return None;
    }
    let mut frames = vec![Vec::new(); count];
    let mut position = 0_u64;
    for fragment in fragments {
        // The frame of a fragment is the last one that does not start after it.
        let index = offsets.iter().rposition(|offset| u64::from(*offset) <= position)?;
        frames.get_mut(index)?.extend_from_slice(fragment);
        // Every fragment has a tag and a length of four bytes each.
        position += 8 + u64::try_from(fragment.len()).ok()?;
    }
    Some(frames.into_iter().map(Bytes::from).collect())
}

#[cfg(test)]
mod tests {
    use dicom_core::{DataElement, PrimitiveValue, VR, value::PixelFragmentSequence};

    use super::*;

    fn object(rows: u16, bits: u16, frames: &str, pixels: &[u8]) -> InMemDicomObject {
        InMemDicomObject::from_element_iter([
            DataElement::new(tags::NUMBER_OF_FRAMES, VR::IS, frames),
            DataElement::new(tags::ROWS, VR::US, PrimitiveValue::from(rows)),
            DataElement::new(tags::COLUMNS, VR::US, PrimitiveValue::from(2_u16)),
            DataElement::new(tags::BITS_ALLOCATED, VR::US, PrimitiveValue::from(bits)),
            DataElement::new(tags::PIXEL_DATA, VR::OB, PrimitiveValue::from(pixels.to_vec())),
        ])
    }

    #[test]
    fn uncompressed_pixels_are_split_by_the_size_of_a_frame() {
        for (object, expected) in [
            (object(1, 8, "2", &[1, 2, 3, 4]), Some(vec![vec![1, 2], vec![3, 4]])),
            (object(1, 16, "1", &[1, 2, 3, 4]), Some(vec![vec![1, 2, 3, 4]])),
            (object(1, 8, "", &[1, 2, 0, 0]), Some(vec![vec![1, 2]])),
            (object(2, 1, "2", &[1, 2]), Some(vec![vec![1], vec![2]])),
            (object(1, 8, "3", &[1, 2, 3, 4]), None),
            (object(0, 8, "1", &[1, 2]), None),
            (object(u16::MAX, u16::MAX, "2147483647", &[1, 2]), None),
            (InMemDicomObject::new_empty(), None),
        ] {
            let frames = split(&object).map(|frames| frames.iter().map(|frame| frame.to_vec()).collect());
            assert_eq!(frames, expected);
        }
    }

    #[test]
    fn compressed_fragments_are_assigned_to_frames() {
        let compressed = |frames: &str, offsets: Vec<u32>, fragments: Vec<Vec<u8>>| {
            let mut object = object(1, 8, frames, &[]);
            let sequence = PixelFragmentSequence::new(offsets, fragments);
            object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, sequence));
            split(&object).map(|frames| frames.iter().map(|frame| frame.to_vec()).collect::<Vec<_>>())
        };
        let fragments = || vec![vec![1, 2], vec![3, 4], vec![5, 6]];
        assert_eq!(compressed("3", vec![], fragments()), Some(fragments()));
        assert_eq!(compressed("1", vec![0], fragments()), Some(vec![vec![1, 2, 3, 4, 5, 6]]));
        assert_eq!(compressed("2", vec![0, 20], fragments()), Some(vec![vec![1, 2, 3, 4], vec![5, 6]]));
        assert_eq!(compressed("2", vec![], fragments()), None);
        assert_eq!(compressed("2", vec![0], fragments()), None);
        assert_eq!(compressed("2", vec![0, 10, 20], fragments()), None);
        assert_eq!(compressed("999999999999", vec![0], fragments()), None);
    }
}
