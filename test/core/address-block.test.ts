import { describe, expect, it } from '@jest/globals';
import { addressBlock } from '../../src/core/address-block.ts';

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
});
