-- A database of the lab's app, as mysqldump writes it. The names and descriptions are our own.

/*!40101 SET NAMES utf8mb4 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;

DROP TABLE IF EXISTS `suppliers`;
CREATE TABLE `suppliers` (
  `id` int NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  `address` varchar(255) NOT NULL,
  `city` varchar(255) NOT NULL,
  `state` varchar(255) NOT NULL,
  `email` varchar(255) NOT NULL,
  `phone` varchar(100) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=9 DEFAULT CHARSET=utf8mb4;

LOCK TABLES `suppliers` WRITE;
/*!40000 ALTER TABLE `suppliers` DISABLE KEYS */;
INSERT INTO `suppliers` VALUES (1,'Juniper Hill Roasters','12 Juniper Hill','Portland','Oregon','orders1@example.com','555-555-0100'),(2,'O&#x27;Malley &amp; Sons','4 Harbour Street','Boston','Massachusetts','orders2@example.com','555-555-0101'),(3,'Cordillera Direct','77 Mercado Avenue','Miami','Florida','orders3@example.com','555-555-0102'),(4,'Blue Finch Coffee','9 Finch Lane','Austin','Texas','orders4@example.com','555-555-0103'),(5,'Two Rivers Importers','210 Quay Road','St. Louis','Missouri','orders5@example.com','555-555-0104'),(6,'Monsoon Trading','31 Spice Court','Seattle','Washington','orders6@example.com','555-555-0105'),(7,'Altiplano Co-operative','5 Summit Way','Denver','Colorado','orders7@example.com','555-555-0106'),(8,'Lake &amp; Lantern','18 Lantern Row c&#x2F;o Ferry','Chicago','Illinois','orders8@example.com','555-555-0107');
/*!40000 ALTER TABLE `suppliers` ENABLE KEYS */;
UNLOCK TABLES;

DROP TABLE IF EXISTS `beans`;
CREATE TABLE `beans` (
  `id` int NOT NULL AUTO_INCREMENT,
  `supplier_id` int NOT NULL,
  `type` varchar(255) NOT NULL,
  `product_name` varchar(255) NOT NULL,
  `price` decimal(10,2) NOT NULL,
  `description` text NOT NULL,
  `quantity` int NOT NULL DEFAULT '0',
  PRIMARY KEY (`id`),
  KEY `supplier_id` (`supplier_id`),
  CONSTRAINT `beans_ibfk_1` FOREIGN KEY (`supplier_id`) REFERENCES `suppliers` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=15 DEFAULT CHARSET=utf8mb4;

LOCK TABLES `beans` WRITE;
/*!40000 ALTER TABLE `beans` DISABLE KEYS */;
INSERT INTO `beans` VALUES (1,1,'Arabica','Juniper Morning',18.00,'Sweet &amp; bright, with a long finish.',1000),(2,1,'Robusta','Juniper Night',12.00,'Strong and dark.',800),(3,2,'Robusta','O&#x27;Malley&#x27;s Own',10.00,'&quot;The one my mother made.&quot;',500),(4,2,'Liberica','Harbour Smoke',14.00,'Smoky &lt;and&gt; woody.',600),(5,3,'Excelsa','Cordillera Tart',18.00,'Tart and fruity; lifts every blend.',200),(6,4,'Arabica','Finch Song',11.00,'Light roast.',900),(7,4,'Robusta','Finch Wing',13.00,'50&#x2F;50 with milk.',350),(8,5,'Robusta','Two Rivers Crema',16.00,'Makes a thick crema ☕.',700),(9,5,'Liberica','Quay Blend',15.00,'With a flowery nose.',300),(10,6,'Arabica','Monsoon Gold',13.00,'Aged in the rain.',300),(11,7,'Robusta','Summit &#96;93',12.00,'From 1,900 m.',800),(12,7,'Liberica','Altiplano Wood',17.00,'Back&#x5C;slash and all.',700),(13,8,'Liberica','Lantern Light',10.00,'A house favourite.',1000),(14,8,'Excelsa','Lake Tart',16.00,'Caf&amp;eacute; only.',300);
/*!40000 ALTER TABLE `beans` ENABLE KEYS */;
UNLOCK TABLES;

/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
