/** The console: pages over the admin API, for administrators. */

import { render } from 'preact';
import './visible-nodes.ts';
import { followAddress } from './router.ts';
import { Shell } from './shell.tsx';
import { completeSignIn } from './sign-in/sign-in.ts';
import { forgetWhenLeft } from './sign-in/sign-out.ts';

followAddress();
forgetWhenLeft();
render(<Shell />, document.getElementById('app') as HTMLElement);
void completeSignIn();
