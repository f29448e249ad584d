import { deflateRawSync } from 'node:zlib'

/** A ZIP file with one entry; `encrypted` sets its flag, with bytes in place of an encrypted content. */
export function zipOf(name: string, content: Buffer, { encrypted = false } = {}): Buffer {
  const deflated = deflateRawSync(content)
  const data = encrypted
    ? Buffer.concat([Buffer.alloc(12, 0x5a), deflated.map((byte) => byte ^ 0x35)])
    : deflated
  const shared = Buffer.alloc(26)
  shared.writeUInt16LE(20, 0)
  shared.writeUInt16LE(encrypted ? 1 : 0, 2)
  shared.writeUInt16LE(8, 4)
  shared.writeUInt16LE(0x5a21, 8)
  shared.writeUInt32LE(crc32(content), 10)
  shared.writeUInt32LE(data.length, 14)
  shared.writeUInt32LE(content.length, 18)
  shared.writeUInt16LE(Buffer.byteLength(name), 22)
  const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), shared, Buffer.from(name), data])
  const central = Buffer.concat([
    Buffer.from('PK\x01\x02\x14\x00', 'latin1'),
    shared,
    Buffer.alloc(14),
    Buffer.from(name),
  ])
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(1, 8)
  end.writeUInt16LE(1, 10)
  end.writeUInt32LE(central.length, 12)
  end.writeUInt32LE(local.length, 16)
  return Buffer.concat([local, central, end])
}

/** Node 20.19 has none of its own. */
function crc32(bytes: Buffer): number {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}
