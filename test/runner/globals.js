/** What a test imports from `@jest/globals`. */

import { jestExpect } from '@jest/expect';
import * as circus from 'jest-circus';

export const expect = jestExpect;
export const { afterAll, afterEach, beforeAll, beforeEach, describe, it, test } = circus;
