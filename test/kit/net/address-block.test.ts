import { describe, expect, it } from '@jest/globals';
import { addressBlock } from '../../../src/kit/net/address-block.ts';

describe('the block that an address is counted by', () => {
  it('is an IPv4 address itself', () => {
    expect(addressBlock('192.0.2.17')).toBe('192.0.2.17');
  });

  it.each([
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8::3:4:5:6:7', '2001:db8:0:3::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['1::', '1:0:0:0::/64'],
  ])('is the /64 of %s, however it is written', (address, block) => {
    expect(addressBlock(address)).toBe(block);
  });

  it.each([
    ['192.0.2.17', { ipv4: 24, ipv6: 64 }, '192.0.2.0/24'],
    ['192.0.2.17', { ipv4: 28, ipv6: 64 }, '192.0.2.16/28'],
    ['255.255.255.255', { ipv4: 8, ipv6: 64 }, '255.0.0.0/8'],
    ['2001:db8:1:2:3:4:5:6', { ipv4: 32, ipv6: 128 }, '2001:db8:1:2:3:4:5:6/128'],
    ['2001:db8:1:2:3:4:5:6', { ipv4: 32, ipv6: 56 }, '2001:db8:1:0::/56'],
    ['2001:db8:1:2ff::6', { ipv4: 32, ipv6: 56 }, '2001:db8:1:200::/56'],
    ['::1', { ipv4: 32, ipv6: 32 }, '0:0::/32'],
  ])('is as wide as it is told: %s by %j', (address, bits, block) => {
    expect(addressBlock(address, bits)).toBe(block);
  });
});
