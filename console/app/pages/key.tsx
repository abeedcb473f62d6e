/** Who is ASIA…: the question of whoever finds an access key where it should not be. */

import { useState } from 'preact/hooks';
import { TextField } from '../parts/field.tsx';
import { Page } from '../parts/page.tsx';
import { goTo, linkTo } from '../router.ts';

export function KeyPage() {
  const [accessKeyId, setAccessKeyId] = useState('');
  const find = (event: Event) => {
    event.preventDefault();
    goTo(linkTo(['decisions'], { accessKeyId: accessKeyId.trim() }));
  };
  return (
    <Page title="Who is ASIA…">
      <form onSubmit={find}>
        <TextField
          label="Access key id"
          value={accessKeyId}
          onValue={setAccessKeyId}
          hint="As in CloudTrail or in a finding. Never paste a secret key here."
        />
        <div class="row">
          <button type="submit" class="main">
            Find who got it
          </button>
        </div>
      </form>
    </Page>
  );
}
