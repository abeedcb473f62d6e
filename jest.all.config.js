/** `npm run test:all`: the tests of `npm test`, the long ones, and every property with its whole budget. */
process.env.FUZZ_FACTOR ??= '1';

const { default: quick } = await import('./jest.config.js');

export default { ...quick, testPathIgnorePatterns: ['<rootDir>/test/kubernetes/'] };
