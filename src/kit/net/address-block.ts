export interface BlockBits {
  /** How many leading bits of an IPv4 address tell blocks apart. */
  readonly ipv4: number;
  readonly ipv6: number;
}

/** An IPv4 address stands for itself, and an IPv6 one for its /64, of which one host has every address. */
const oneHost: BlockBits = { ipv4: 32, ipv6: 64 };

/**
 * Whom an address stands for when it is counted (RFC 4291 section 2.5.4). What is one host on the Internet can be
 * many inside a network: a /64 is a whole subnet of a VPC.
 */
export function addressBlock(address: string, { ipv4, ipv6 }: BlockBits = oneHost): string {
  if (!address.includes(':')) return ipv4 === 32 ? address : ipv4Block(address, ipv4);
  const masked = ipv6Groups(address).map((group, index) => leading(group, ipv6 - 16 * index, 16));
  const kept = masked.slice(0, Math.ceil(ipv6 / 16)).map((group) => group.toString(16));
  return `${kept.join(':')}${kept.length < 8 ? '::' : ''}/${ipv6}`;
}

function ipv4Block(address: string, bits: number): string {
  const bytes = address.split('.').map(Number);
  return `${bytes.map((byte, index) => leading(byte, bits - 8 * index, 8)).join('.')}/${bits}`;
}

function ipv6Groups(address: string): readonly number[] {
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const behind = tail === '' ? [] : tail.split(':');
    while (groups.length + behind.length < 8) groups.push('0');
    groups.push(...behind);
  }
  return groups.map((group) => Number.parseInt(group, 16));
}

/** `value` of `width` bits, with all but its first `bits` zero. */
function leading(value: number, bits: number, width: number): number {
  const dropped = width - Math.min(width, Math.max(0, bits));
  return (value >>> dropped) << dropped;
}
