"""HTML, JUnit and terminal table made from a record and its verdict."""
