/** GET /details/<id>: facts about a book. */

import { idAfter, json, notFound, serve } from "./server.js";

serve("details", (_request, url) => {
  if (url.pathname === "/health") return json(200, { status: "Details is healthy" });
  const id = idAfter(url, "/details");
  if (id === undefined) return notFound(url);
  if (id === "invalid") return json(400, { error: "please provide numeric product id" });
  return json(200, {
    id,
    author: "William Shakespeare",
    year: 1595,
    type: "paperback",
    pages: 200,
    publisher: "PublisherA",
    language: "English",
    "ISBN-10": "1234567890",
    "ISBN-13": "123-1234567890",
  });
});
