[
  inputs: ["{mix,.formatter,bench,tasks}.exs", "{lib,test}/**/*.{ex,exs}"],
  line_length: 98
]
