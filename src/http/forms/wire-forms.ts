/** The wire forms there are: a further one is a folder beside these, and a line here. */

import { containerForm } from './container/container-form.ts';
import { restForm } from './rest/rest-form.ts';
import { stsForm } from './sts/sts-form.ts';
import type { WireForm } from './wire-form.ts';

export const wireForms: readonly WireForm[] = [restForm, containerForm, stsForm];
