/** The least that gets a token: what the script is measured against. */
const { ZOOM_HOST, ZOOM_ACCOUNT_ID = '', ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET } = process.env;
const Authorization = `Basic ${btoa(`${ZOOM_CLIENT_ID}:${ZOOM_CLIENT_SECRET}`)}`;
const body = new URLSearchParams({ grant_type: 'account_credentials', account_id: ZOOM_ACCOUNT_ID });
const response = await fetch(`${ZOOM_HOST}/oauth/token`, { method: 'POST', headers: { Authorization }, body });
console.log(((await response.json()) as { access_token: string }).access_token);
