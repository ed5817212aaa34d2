-- A database of the lab's app after some years: no keys, columns of any type, values of any look.

CREATE TABLE suppliers (
  id varchar(20),
  name text,
  address varchar(400),
  city varchar(255) CHARACTER SET latin1,
  state varchar(255),
  email varchar(255),
  phone varchar(255),
  notes text
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

INSERT INTO suppliers VALUES
  ('1', 'O&amp;#x27;Malley &amp;amp; Sons', '1 Pier\r\nUnit 2', 'Zürich', 'ZH', 'a@example.com', '555-555-0100', 'pays late'),
  ('2', '', NULL, 'Boston', 'MA', 'b@example.com', '555-555-0101', NULL),
  ('2', 'Second Two', '2 Pier', 'Boston', 'MA', 'c@example.com', '555-555-0102', NULL),
  ('0', 'Zero Trading', '0 Pier', 'Boston', 'MA', 'd@example.com', '555-555-0103', NULL),
  (NULL, 'Nameless Number', '3 Pier', 'Boston', 'MA', 'e@example.com', '555-555-0104', NULL),
  ('five', REPEAT('é', 300), '4 Pier', 'Boston', 'MA', 'f@example.com', '555-555-0105', NULL);

CREATE TABLE beans (
  id double,
  supplier_id varchar(20),
  type varchar(255),
  product_name varchar(255),
  price varchar(40),
  description text,
  quantity varchar(40)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

INSERT INTO beans VALUES
  (1, '1', 'Arabica', 'First', '18', 'Sweet', '1000'),
  (2, '1', ' arabica ', 'Second', '18.0', 'Sweet', '1,000'),
  (3, '1', 'ARABICA', 'Third', '$18', 'Sweet', '12.0'),
  (4, '1', 'Arabica (2)', 'Fourth', '', 'Sweet', '12.5'),
  (5, '9', 'Arabica', 'Orphan', '18.005', 'Sweet', '-4'),
  (6, '9', 'Robusta', 'Orphan too', '-3', 'Sweet', NULL),
  (7, NULL, 'Arabica', 'Nobody''s', 'twelve', 'Sweet', 'many'),
  (8, 'nobody', 'Robusta', 'Nobody''s too', '18,50', 'Sweet', ''),
  (9, '0', '', 'Zero''s', '100000', 'a < b & c', '99999999999'),
  (9, '2', 'Robusta', 'Twice nine', '1e1', 'Line one\nLine two', '7'),
  (NULL, 'five', NULL, NULL, NULL, NULL, '3'),
  (-1, '02', 'Liberica &amp;amp; more', '&lt;b&gt;Bold&lt;&#x2F;b&gt;', ' US$ 1,200.5 ', REPEAT('☕', 1001), '5');

CREATE TABLE notes (id int PRIMARY KEY, text varchar(100)) ENGINE=InnoDB;
INSERT INTO notes VALUES (1, 'not the lab''s, left alone');
