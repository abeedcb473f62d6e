export interface BlockBits {
  /** How many leading bits of an IPv4 address tell blocks apart. */
  readonly ipv4: number;
  readonly ipv6: number;
}

/** An IPv4 address stands for itself, and an IPv6 one for its /64, of which one host has every address. */
const oneHost: BlockBits = { ipv4: 32, ipv6: 64 };

/**
 * Whom an address stands for when it is counted, however it is written (RFC 4291 section 2.5.4). What is one host on the
 * Internet can be many inside a network: a /64 is a whole subnet of a VPC.
 *
 * An IPv4 host that is seen through IPv6 is that host: one on a dual-stack socket (`::ffff:192.0.2.1`), and one behind a
 * translator with the well-known prefix (`64:ff9b::192.0.2.1`, RFC 6052), where all of the IPv4 Internet is in one /64.
 * Not so an address that merely ends like one (`::192.0.2.1`, deprecated), nor those behind a prefix of a network's
 * own: nobody else can know where it ends.
 */
export function addressBlock(address: string, { ipv4, ipv6 }: BlockBits = oneHost): string {
  if (!address.includes(':')) {
    return ipv4 === 32 ? address : ipv4Block(address.split('.').map(Number), ipv4);
  }
  const groups = ipv6Groups(address);
  const start = groups.slice(0, 6).map(inHex).join(':');
  if (ipv4Hosts.has(start)) return ipv4Block(groups.slice(6).flatMap(bytesOf), ipv4);
  // This machine, beside which others of its /64 could only be made up.
  if (start === none && groups[6] === 0 && groups[7] === 1) return '::1/128';
  const masked = groups.map((group, index) => leading(group, ipv6 - 16 * index, 16));
  const kept = masked.slice(0, Math.ceil(ipv6 / 16)).map(inHex);
  return `${kept.join(':')}${kept.length < 8 ? '::' : ''}/${ipv6}`;
}

const none = '0:0:0:0:0:0';
/** What comes before an IPv4 address in the IPv6 address of the same host. */
const ipv4Hosts: ReadonlySet<string> = new Set(['0:0:0:0:0:ffff', '64:ff9b:0:0:0:0']);

function ipv4Block(bytes: readonly number[], bits: number): string {
  const masked = bytes.map((byte, index) => leading(byte, bits - 8 * index, 8)).join('.');
  return bits === 32 ? masked : `${masked}/${bits}`;
}

const zeros: readonly number[] = Array(8).fill(0);

function ipv6Groups(address: string): readonly number[] {
  const [plain = ''] = address.split('%');
  const [head = '', tail] = plain.split('::');
  const groups = groupsOf(head);
  if (tail === undefined) return groups;
  const behind = groupsOf(tail);
  return [...groups, ...zeros.slice(groups.length + behind.length), ...behind];
}

/** The last two may be written as an IPv4 address. */
function groupsOf(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return Number.parseInt(group, 16);
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

function bytesOf(group: number): readonly number[] {
  return [group >>> 8, group & 0xff];
}

function inHex(group: number): string {
  return group.toString(16);
}

/** `value` of `width` bits, with all but its first `bits` zero. */
function leading(value: number, bits: number, width: number): number {
  const dropped = width - Math.min(width, Math.max(0, bits));
  return (value >>> dropped) << dropped;
}
