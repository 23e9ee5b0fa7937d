// Starts Swagger UI on the API's own document; a file of its own because nothing runs inline here.
const place = document.getElementById("api");
window.SwaggerUIBundle({
  url: place.dataset.schema,
  domNode: place,
  deepLinking: true,
  docExpansion: "none",
  tryItOutEnabled: false,
  presets: [window.SwaggerUIBundle.presets.apis],
});
