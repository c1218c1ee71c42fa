// One stored entry of a ZIP that stands behind other bytes; every offset is checked before it is followed.

const CENTRAL = 0x02014b50, LOCAL = 0x04034b50, END = 0x06054b50;

/** {content, offset} of the entry `name`: its bytes, and where the ZIP begins. Throws Error for what is damaged. */
export function readEntry(bytes, name) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = at => view.getUint32(at, true), half = at => view.getUint16(at, true); // RangeError beyond the end
  let end = bytes.length - 22;
  const last = Math.max(end - 0xffff, 0);
  while (end >= last && word(end) !== END) end--;
  if (end < last) throw new Error("no ZIP directory at its end");
  let at = word(end + 16);
  for (let left = half(end + 10); left > 0; left--) {
    if (word(at) !== CENTRAL) throw new Error("its ZIP directory is damaged");
    const lengths = [28, 30, 32].map(place => half(at + place));
    if (text(bytes, at + 46, lengths[0]) === name) {
      const [method, crc, size, full, offset] = [half(at + 10), word(at + 16), word(at + 20), word(at + 24), word(at + 42)];
      if (method !== 0 || size !== full) throw new Error(`${name} is compressed, expected it stored`);
      if (word(offset) !== LOCAL) throw new Error(`${name} is not where its directory says`);
      const start = offset + 30 + half(offset + 26) + half(offset + 28);
      if (text(bytes, offset + 30, half(offset + 26)) !== name || start + size > end) throw new Error(`${name} is cut off`);
      const content = bytes.subarray(start, start + size);
      if (crc32(content) !== crc) throw new Error(`${name} does not match its checksum`);
      return {content, offset};
    }
    at += 46 + lengths[0] + lengths[1] + lengths[2];
  }
  throw new Error(`no ${name} in its ZIP directory`);
}

const text = (bytes, start, length) => String.fromCharCode(...bytes.subarray(start, start + Math.min(length, 256)));

export function crc32(bytes) {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc >>> 1 ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
